"""An emulated Partner Center on loopback, for rehearsals and tests."""

from bulkpause.sandbox.bodies import Casing
from bulkpause.sandbox.demo import DEMO_SCRIPT, DemoExpectation, demo_expectation
from bulkpause.sandbox.faults import Fault
from bulkpause.sandbox.grammar import FAULT_HELP, parse_fault
from bulkpause.sandbox.journal import Journal, JournalEntry
from bulkpause.sandbox.latency import Latency, parse_latency
from bulkpause.sandbox.limit_grammar import RATE_LIMIT_HELP, parse_rate_limit
from bulkpause.sandbox.pace import Admission, Drop, Limiter, RateLimit, limiter, spelt
from bulkpause.sandbox.people import Person
from bulkpause.sandbox.server import Sandbox, serve_in_thread
from bulkpause.sandbox.settings import SandboxSettings

__all__ = [
    "DEMO_SCRIPT",
    "FAULT_HELP",
    "RATE_LIMIT_HELP",
    "Admission",
    "Casing",
    "DemoExpectation",
    "Drop",
    "Fault",
    "Journal",
    "JournalEntry",
    "Latency",
    "Limiter",
    "Person",
    "RateLimit",
    "Sandbox",
    "SandboxSettings",
    "demo_expectation",
    "limiter",
    "parse_fault",
    "parse_latency",
    "parse_rate_limit",
    "serve_in_thread",
    "spelt",
]
