"""A ledger told again: how each row ended, what is in doubt, how far the run came. Pure."""

from bulkpause.replay.fold import FAILED, OWED, Replay, latest_outcomes
from bulkpause.replay.parts import Part
from bulkpause.replay.unfinished import BROKEN_OFF, WAITING, Unfinished

__all__ = ["BROKEN_OFF", "FAILED", "OWED", "WAITING", "Part", "Replay", "Unfinished", "latest_outcomes"]
