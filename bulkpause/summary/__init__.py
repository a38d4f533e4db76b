"""What a run comes to: its totals, how each row ended, how long exchanges took, how fast they left. Pure."""

from bulkpause.summary.totals import NAMED, REASON_LIMIT, Failure, Group, RunSummary, without_varying
from bulkpause.summary.windows import FullestWindows

__all__ = ["NAMED", "REASON_LIMIT", "Failure", "FullestWindows", "Group", "RunSummary", "without_varying"]
