"""An organization is simulated in its smallest form: nothing is lost, no account starves."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parents[3] / "benchmarks/members.py"
SMALL = ("--accounts", "8", "--large", "3", "--minutes", "0.05")


def test_nothing_is_lost_and_no_account_is_starved() -> None:
    """The script itself compares all findings with what EC2 has; it names what was lost."""
    done = subprocess.run(  # noqa: S603 - the clock is replaced before the functions are imported
        [sys.executable, str(SCRIPT), *SMALL], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    assert (figures["accounts"], figures["changes"]) == (9, 30)
    assert figures["alerts"]
    assert 0 < figures["longest_delay"] < 200  # a batch is over within the timeout
    assert 3500 < figures["longest_between_sweeps"] < 3700
    functions = {name for phase in figures["phases"].values() for name in phase}
    assert functions == {"evaluate", "notify", "sweep", "sweep_member"}
