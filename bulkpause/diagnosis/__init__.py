"""What separates the reports that failed from those that did not: kept (`symptoms`), found (`splits`), said. Pure."""

from bulkpause.diagnosis.splits import Kind
from bulkpause.diagnosis.symptoms import Symptom, Symptoms
from bulkpause.diagnosis.words import Cause, diagnose

__all__ = ["Cause", "Kind", "Symptom", "Symptoms", "diagnose"]
