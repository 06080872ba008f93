"""Race the tools over one emulated account of 100 VPCs, with the questions that all can answer.

Run: `.venv/bin/python benchmarks/peers/race.py [VPCS]`; prints a table in Markdown. Each tool runs
once, one after the other, as a process of its own against the same server. The emulator's time is
in the wall seconds only: a tool's CPU seconds are its own process's, the emulator's are beside
them.
"""

import sys
from collections.abc import Iterator

from compare import report_progress
from emulated import EmulatedAccount, serve_account
from labelled.case import HOME
from lambda_environment import PROCESS, build_environment
from moto.dynamodb.models.table import Table
from network_builder import RegionBuilder
from scoring import format_head, format_row
from synthetic_region import build_vpc
from tools import ENVIRONMENT, ROOT, TOOLS, PostureScan, RunCost, run_command

from stack_tables import create_tables

PYTHON = str(ROOT / ".venv/bin/python")
QUESTIONS = (
    "allows untrusted principals",
    "single Availability Zone",
    "VPC without an endpoint for ec2",
)
COLUMNS = (
    "seconds",
    "own CPU seconds",
    "times the bare describes' CPU",
    "peak memory, MB",
    "EC2 calls",
    "other calls",
    "emulator's CPU seconds",
)


def populate(account: EmulatedAccount, vpcs: int) -> None:
    """Create the VPCs in the layout of the other benchmarks, and the monitor's tables."""
    # moto copies a whole table for each item of a transaction, to be able to roll back. With one
    # writer nothing fails here.
    setattr(Table, "__deepcopy__", lambda table, _: table)  # noqa: B010 - a method is added
    builder = RegionBuilder(account.session, HOME)
    for _ in range(vpcs):
        build_vpc(builder)
    create_tables(account.session.client("dynamodb"))


def sweep(account: EmulatedAccount) -> RunCost:
    """Run the sweep's deployed handler once in a new process."""
    return run_command(
        account,
        [PYTHON, str(PROCESS)],
        environment=ENVIRONMENT | build_environment(account.url),
        cwd=ROOT / "functions/sweep",
        input="{}\n",
    )[1]


def run_all(account: EmulatedAccount) -> Iterator[tuple[str, RunCost]]:
    """Run each in turn; yield its name and what it took."""
    bare = str(ROOT / "benchmarks/bare_describes.py")
    yield "five bare describes", run_command(account, [PYTHON, bare])[1]
    yield "posture scan, all rules", PostureScan().run(account, HOME)[1]
    yield "posture's deployed sweep, the first", sweep(account)
    yield "posture's deployed sweep, later ones", sweep(account)
    for tool in TOOLS:
        if not isinstance(tool, PostureScan):
            asked = [each for each in QUESTIONS if each in tool.questions]
            yield f"{tool.name}, {len(asked)} questions", tool.run(account, HOME, asked)[1]


def main(vpcs: str = "100") -> None:
    """Print the table."""
    print(format_head(f"{vpcs} VPCs", *COLUMNS))
    with serve_account() as account:
        report_progress(f"building {vpcs} VPCs")
        populate(account, int(vpcs))
        bare = 0.0
        for name, cost in run_all(account):
            bare = bare or cost.cpu
            ec2 = cost.calls.get("ec2", 0)
            figures = f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.cpu / bare:.1f}"
            calls = ec2, sum(cost.calls.values()) - ec2
            cells = *figures, f"{cost.megabytes:.0f}", *calls, f"{cost.answering:.1f}"
            print(format_row(name, *cells), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
