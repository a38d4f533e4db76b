"""`make demo`: pause the sample reports against the embedded sandbox, and check that it went by the script."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

from bulkpause.sandbox.demo import DEMO_MAX_TRIES, demo_expectation

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "runs"
EXIT_CODE = 1
"""Some reports of the sample fail on purpose."""


def main() -> int:
    """Run it, and compare the summary and the exit code with the script."""
    command = ["bulkpause", "pause", "--sandbox", "configs/sample-reports.csv", "--rate", "10/s"]
    command += ["--max-tries", str(DEMO_MAX_TRIES), "--runs-dir", "runs"]
    print("$", shlex.join(command), flush=True)
    before = set(RUNS.glob("*/summary.json"))
    ran = subprocess.run([Path(sys.executable).with_name(command[0]), *command[1:]], cwd=ROOT, check=False)
    summaries = [json.loads(file.read_bytes()) for file in set(RUNS.glob("*/summary.json")) - before]
    expected = demo_expectation()
    wanted = {
        "exit code": EXIT_CODE,
        "by_status_code": expected.by_status_code,
        "by_status": expected.by_status,
        "sent": expected.puts,
        "read": expected.read,
        "holds": 1,
    }
    found = {"exit code": ran.returncode}
    for summary in summaries:
        found |= {name: summary[name] for name in wanted if name in summary}
    if found == wanted:
        print("\nThe demo went by its script; the run exits 1 because some reports did fail.")
        return 0
    print(f"\nThe demo did not go by its script.\n  wanted {wanted}\n  found  {found}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
