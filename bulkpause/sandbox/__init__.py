"""An emulated Partner Center on loopback, for rehearsals and tests."""

from bulkpause.sandbox.bodies import Casing
from bulkpause.sandbox.demo import DEMO_SCRIPT, DemoExpectation, demo_expectation
from bulkpause.sandbox.faults import Fault
from bulkpause.sandbox.grammar import FAULT_HELP, parse_fault
from bulkpause.sandbox.journal import Journal, JournalEntry
from bulkpause.sandbox.pace import Latency, RateLimit, parse_latency, parse_rate_limit
from bulkpause.sandbox.server import Sandbox, serve_in_thread
from bulkpause.sandbox.settings import SandboxSettings

__all__ = [
    "DEMO_SCRIPT",
    "FAULT_HELP",
    "Casing",
    "DemoExpectation",
    "Fault",
    "Journal",
    "JournalEntry",
    "Latency",
    "RateLimit",
    "Sandbox",
    "SandboxSettings",
    "demo_expectation",
    "parse_fault",
    "parse_latency",
    "parse_rate_limit",
    "serve_in_thread",
]
