"""The one door every cell goes through: judged, de-duplicated, counted, and put into the current batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkpause.ids import escaped, parse_report_id, why_refused
from bulkpause.models import Entry, Reject, ReportId, SourceCounts

_GENERATION_IDS = 174_000  # a CPython dict doubles at 174,763: stop there, at its fullest


Cell = tuple[str, int, str]
"""What may be an id, the row it stands on, and a flaw that rules it out beforehand (empty: judge the text)."""


class SeenIds:
    """The ids met so far, 16 raw bytes each, in about 95 bytes of memory an id.

    Not in one big set: that holds the interpreter lock while it grows, 27 ms at 630,000 ids and 250 ms at 1.3 million.
    And in dicts: the garbage collector walks through sets, 85 ms for a million ids, but leaves a dict of bytes alone.
    """

    def __init__(self) -> None:
        self._generations: list[dict[bytes, None]] = [{}]

    def new_ones(self, keys: bytes) -> Sequence[int]:
        """Indexes of the 16-byte keys in `keys` that were never met before; from now on they were."""
        met = [keys[start : start + 16] for start in range(0, len(keys), 16)]
        fresh = set(met)
        for generation in self._generations:
            fresh = fresh.difference(generation)
        if len(self._generations[-1]) + len(fresh) > _GENERATION_IDS:
            self._generations.append({})
        self._generations[-1].update(dict.fromkeys(fresh))
        if len(fresh) == len(met):
            return range(len(met))
        new: list[int] = []
        for index, key in enumerate(met):
            if key in fresh:
                fresh.remove(key)
                new.append(index)
        return new


class Intake:
    """Turns cells into a batch of entries and rejects, in the order they come."""

    def __init__(self) -> None:
        self.counts = SourceCounts()
        self._seen = SeenIds()
        self._batch: list[Entry | Reject] = []

    def take_batch(self) -> list[Entry | Reject]:
        """What was judged since the last call; may be empty."""
        batch, self._batch = self._batch, []
        return batch

    def judge(self, cells: Iterable[Cell]) -> None:
        """Accept, drop as a duplicate or reject each cell; what came before an error in `cells` counts."""
        report_ids: list[ReportId] = []
        rows: list[int] = []
        try:
            for text, row, flaw in cells:
                if not flaw and (report_id := parse_report_id(text)):
                    report_ids.append(report_id)
                    rows.append(row)
                else:
                    self.accept(report_ids, rows)
                    report_ids, rows = [], []
                    self._reject(text, row, flaw or why_refused(text))
        finally:
            self.accept(report_ids, rows)

    def accept(self, report_ids: Sequence[ReportId], rows: Sequence[int]) -> None:
        """Take ids with their rows, dropping those met before."""
        if not report_ids:
            return
        new = self._seen.new_ones(bytes.fromhex("".join(report_ids).replace("-", "")))
        self._batch += [Entry(report_ids[index], rows[index]) for index in new]
        self.counts.accepted += len(new)
        self.counts.duplicate += len(report_ids) - len(new)

    def _reject(self, text: str, row: int, reason: str) -> None:
        self._batch.append(Reject(row, escaped(text), reason))
        self.counts.invalid += 1
