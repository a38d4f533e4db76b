"""What a run comes to: its totals, how each row ended, how long exchanges took. Pure."""

from bulkpause.summary.totals import NAMED, REASON_LIMIT, Failure, Group, RunSummary, without_varying

__all__ = ["NAMED", "REASON_LIMIT", "Failure", "Group", "RunSummary", "without_varying"]
