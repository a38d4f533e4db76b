"""Pause or resume Partner Center Insights reports in bulk, with a ledger of every request."""

__version__ = "0.1.0"
