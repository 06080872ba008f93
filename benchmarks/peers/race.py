"""A race over one emulated account of 100 VPCs: what each tool takes for the questions all judge.

Run: `.venv/bin/python benchmarks/peers/race.py [VPCS]`; prints a table in Markdown. Each tool runs
once, one after the other, as a process of its own against the same server. What the emulator takes
to answer is in the seconds of wall and nowhere else: a tool's CPU seconds are its own process's,
the emulator's are told beside them.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import moto.dynamodb.models
from emulated import Emulated, served
from labelled.case import ACCOUNT, HOME
from moto.dynamodb.models.table import Table
from tools import HERE, ROOT, TOOLS, Posture, Took, timed

sys.path += [str(ROOT / "benchmarks"), str(ROOT / "tests" / "stages")]

from compare import row, say
from world import build_vpc

from posture_cli.embedded.moto_patches import EndpointPatches
from stack_tables import create_tables

PYTHON = str(ROOT / ".venv/bin/python")
BARE = "five bare describes"
# What all three judge of an endpoint.
QUESTIONS = ("strangers get in", "stands in one zone", "VPC lacks an endpoint of ec2")
COLUMNS = (
    "seconds",
    "own CPU seconds",
    "times the bare describes' CPU",
    "peak memory, MB",
    "EC2 calls",
    "other calls",
    "emulator's CPU seconds",
)


def spare_copies() -> None:
    """Keep moto from copying a whole table for each item of a transaction.

    It wants to be able to roll back; nothing here fails, as there is one writer.
    """

    def deepcopy(value: Any) -> Any:
        return value if isinstance(value, Table) else copy.deepcopy(value)

    setattr(moto.dynamodb.models, "copy", SimpleNamespace(deepcopy=deepcopy))  # noqa: B010


def populate(account: Emulated, vpcs: int) -> None:
    """Build the VPCs, each after the plan of the other benchmarks, and the monitor's tables."""
    spare_copies()
    ec2 = account.session.client("ec2")
    EndpointPatches(ACCOUNT, HOME).attach(ec2)
    for number in range(vpcs):
        build_vpc(ec2, f"10.{number}")
    create_tables(account.session.client("dynamodb"))


def runs(account: Emulated) -> Iterator[tuple[str, Took]]:
    """Run each in turn; give its name and what it took."""
    sweep = [PYTHON, str(HERE / "deployed_sweep.py")]
    yield BARE, timed(account, [PYTHON, str(HERE / "bare.py")])[1]
    yield "posture scan, all rules", Posture().run(account, HOME)[1]
    yield "posture's deployed sweep, the first", timed(account, sweep)[1]
    yield "posture's deployed sweep, from then on", timed(account, sweep)[1]
    for tool in TOOLS:
        if not isinstance(tool, Posture):
            asked = [each for each in QUESTIONS if each in tool.questions]
            yield f"{tool.name}, {len(asked)} questions", tool.run(account, HOME, asked)[1]


def main(vpcs: str = "100") -> None:
    """Print the table."""
    print(row(f"{vpcs} VPCs", *COLUMNS))
    print(row(*["---"] * (len(COLUMNS) + 1)))
    with served() as account:
        say(f"building {vpcs} VPCs")
        populate(account, int(vpcs))
        bare = 0.0
        for name, took in runs(account):
            bare = bare or took.cpu
            ec2 = took.calls.get("ec2", 0)
            print(
                row(
                    name,
                    f"{took.wall:.1f}",
                    f"{took.cpu:.1f}",
                    f"{took.cpu / bare:.1f}",
                    f"{took.megabytes:.0f}",
                    str(ec2),
                    str(sum(took.calls.values()) - ec2),
                    f"{took.answering:.1f}",
                ),
                flush=True,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
