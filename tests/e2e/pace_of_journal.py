"""How full the fullest windows of a journal are: `python pace_of_journal.py [--slack SECONDS] < journal.jsonl`.

A program of its own: it reads the sandbox's journal, JSON Lines, looks at every window that begins with a request, and
knows nothing of bulkpause. It prints for each length of window how many requests the fullest one held, between the
least and the most there were in a window so much shorter or longer: on their way requests are held up, not all alike.
"""

from __future__ import annotations

import json
import sys

DRAWN = {"pause", "resume", "list"}
"""What the agreed rate is for; the sign-in service is another."""


def fullest(arrivals_s: list[float], window_s: float) -> int:
    """The most arrivals in any half-open window of that length."""
    return max((sum(0 <= at_s - start_s < window_s for at_s in arrivals_s) for start_s in arrivals_s), default=0)


def main() -> None:
    """Read the journal and print its figures as one JSON document."""
    slack_s = float(sys.argv[2]) if sys.argv[1:2] == ["--slack"] else 0.0
    entries = [json.loads(line) for line in sys.stdin]
    arrivals_s = [entry["at_s"] for entry in entries if entry["operation"] in DRAWN]
    figures = {
        f"fullest_{window_s}_s": [fullest(arrivals_s, window_s - slack_s), fullest(arrivals_s, window_s + slack_s)]
        for window_s in (1, 10, 60)
    }
    print(json.dumps({"requests": len(arrivals_s), **figures}))  # noqa: T201 - its result


if __name__ == "__main__":
    main()
