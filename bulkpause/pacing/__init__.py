"""How fast the service lets a run go: decided from what it answers, never above what was agreed. Pure."""

from bulkpause.pacing.pace import after_acceptance, after_refusal, after_silence
from bulkpause.pacing.policy import PacePolicy
from bulkpause.pacing.quota import QuotaWatch
from bulkpause.pacing.state import NEVER_S, Pace, Reason, started
from bulkpause.pacing.tally import Tally

__all__ = [
    "NEVER_S",
    "Pace",
    "PacePolicy",
    "QuotaWatch",
    "Reason",
    "Tally",
    "after_acceptance",
    "after_refusal",
    "after_silence",
    "started",
]
