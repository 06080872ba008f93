"""Race the tools over one emulated account of 100 VPCs, with the questions that all can answer.

Run: `.venv/bin/python benchmarks/peers/race.py [VPCS [ROUNDS]]` after `install.py`; prints a table
in Markdown, and each run to stderr when it ends. The tools run in turns, each as a process of its
own against the same server, in each round also with 30 ms a call; the medians are printed. What can
run only once, or takes minutes, runs once. Ratios are to the bare describes of the same round, so
other work of the machine affects both. The emulator's time is in the wall times only: a tool's CPU
seconds are its own process's, the emulator's are beside them.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from statistics import median

from compare import report_progress
from emulated import EmulatedAccount, serve_account
from install import install_monitor
from labelled.case import HOME
from lambda_environment import PROCESS, build_environment
from moto.dynamodb.models.table import Table
from network_builder import RegionBuilder
from scoring import format_head, format_row
from synthetic_region import build_vpc
from tools import ENVIRONMENT, PEERS, ROOT, TOOLS, PostureScan, Prowler, RunCost, Tool, run_command

from stack_tables import create_tables

PYTHON = str(PEERS / "posture/bin/python")  # without the libraries of the tests
QUESTIONS = (
    "allows untrusted principals",
    "single Availability Zone",
    "VPC without an endpoint for ec2",
)
LATENCY = 0.03  # seconds a call
MOST_FOR_PROWLER = 100  # VPCs: it makes ten calls for each
COLUMNS = (
    "own CPU seconds",
    "CPU",
    "wall",
    "wall with 30 ms a call",
    "peak memory, MB",
    "EC2 calls",
    "other calls",
    "emulator's CPU seconds",
)
Runs = dict[str, Callable[[], RunCost]]
# What a run took, and the ratios of its CPU, its wall time and its wall time with latency.
Result = tuple[RunCost, float, float, float | None]
BARE, SCAN, FIRST, LATER = (
    "five bare describes",
    "posture scan, all rules",
    "posture's deployed sweep, the first",
    "posture's deployed sweep, later ones",
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


def list_runs(account: EmulatedAccount, vpcs: int) -> tuple[Runs, Runs]:
    """Return what runs once after the first bare describes, and what runs in each round."""
    bare = str(ROOT / "benchmarks/bare_describes.py")
    once: Runs = {FIRST: partial(sweep, account)}
    often: Runs = {
        BARE: lambda: run_command(account, [PYTHON, bare])[1],
        SCAN: lambda: PostureScan().run(account, HOME)[1],
        LATER: partial(sweep, account),
    }
    for tool in TOOLS:
        if not isinstance(tool, PostureScan):
            asked = [each for each in QUESTIONS if each in tool.questions]
            run = partial(_run_tool, tool, account, asked)
            if not isinstance(tool, Prowler):
                often[f"{tool.name}, {len(asked)} questions"] = run
            elif vpcs <= MOST_FOR_PROWLER:
                once[f"{tool.name}, {len(asked)} questions"] = run
    return once, often


def _run_tool(tool: Tool, account: EmulatedAccount, asked: Sequence[str]) -> RunCost:
    return tool.run(account, HOME, asked)[1]


def race(account: EmulatedAccount, vpcs: int, rounds: int) -> Iterator[tuple[str, Result]]:
    """Run all in turns; yield the results of each run by name."""
    once, often = list_runs(account, vpcs)
    for number in range(rounds):
        first = {BARE: often[BARE], **once} if number == 0 else {}
        quick = _measure(first | often)
        account.latency = LATENCY
        slow = _measure(often)
        account.latency = 0.0
        for name, cost in quick.items():
            bare = quick[BARE]
            yield name, (cost, cost.cpu / bare.cpu, cost.wall / bare.wall, _compare(name, slow))


def _measure(runs: Runs) -> dict[str, RunCost]:
    costs = {}
    for name, run in runs.items():
        costs[name] = run()
        report_progress(f"{name}: {costs[name].cpu:.1f} CPU s, {costs[name].wall:.0f} s")
    return costs


def _compare(name: str, slow: Mapping[str, RunCost]) -> float | None:
    return slow[name].wall / slow[BARE].wall if name in slow else None


def format_result(name: str, results: Sequence[Result]) -> str:
    """Format the medians of a tool's runs as a row."""
    costs, cpu, wall, slow = zip(*results, strict=True)
    ec2 = costs[0].calls.get("ec2", 0)
    waited = [each for each in slow if each is not None]
    return format_row(
        name,
        f"{median(each.cpu for each in costs):.1f}",
        f"{median(cpu):.1f} ×",
        f"{median(wall):.1f} ×",
        f"{median(waited):.1f} ×" if waited else "",
        f"{median(each.megabytes for each in costs):.0f}",
        ec2,
        sum(costs[0].calls.values()) - ec2,
        f"{median(each.answering for each in costs):.1f}",
    )


def main(vpcs: str = "100", rounds: str = "3") -> None:
    """Print the table."""
    install_monitor()
    with serve_account() as account:
        report_progress(f"building {vpcs} VPCs")
        populate(account, int(vpcs))
        results: dict[str, list[Result]] = defaultdict(list)
        for name, result in race(account, int(vpcs), int(rounds)):
            results[name].append(result)
    print(format_head(f"{vpcs} VPCs, {rounds} rounds", *COLUMNS))
    for name, measured in results.items():
        print(format_result(name, measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
