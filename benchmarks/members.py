"""Simulate an organization of thousands of accounts with the real handlers.

5,000 accounts of two VPCs, one of 3,000, 1 % that cannot be read. After the first sweep of all, ten
changes a second while all are swept again; meanwhile members join, leave, lose their role, are
denied and throttled. At the end nothing may be lost: each change is in the findings of its VPC,
each account that cannot be read has its finding, each other one was swept within its period. Prints
one JSON object; an error names what was lost.

Run: `.venv/bin/python benchmarks/members.py [--accounts N] [--large VPCS] [--minutes M]`
"""

import argparse
import json
import re
import resource
import sys
from collections.abc import Iterator

import shared_paths

# The first of all: it sets the clock that the functions bind.
from members_simulation import CLOCK, Simulation, Usage, find_findings
from synthetic_aws import REGION, Json
from synthetic_members import Account, Fault

from posture.model.member import MemberState

PERIOD = 3600.0  # SweepSchedule
RATE = 10  # changes a second
RULES = {"open": "endpoint-security-group-open", "routed": "gateway-service-bypasses-endpoint"}
UNREADABLE = "account-region-not-readable"


class Moves:
    """Members that join, leave and cannot be read while others change."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        healthy = [each for each in simulation.members if each.is_small and not each.fault]
        step = max(1, len(healthy) // 8)
        self.left, *self._failing = healthy[::step][:4]
        self.joined = Account("400000000000", len(simulation.members) + 2)
        self.broken = [each for each in simulation.members if each.fault]
        self.joined_at = float("inf")

    def choose(self) -> Account:
        """Choose an account that changes; the large one does more often than others."""
        simulation = self._simulation
        if simulation.random.random() < 0.02:
            return simulation.large
        members = [*simulation.members, *([self.joined] if CLOCK.seconds > self.joined_at else [])]
        account = simulation.random.choice(members)
        return simulation.large if account is self.left else account

    def make(self) -> None:
        """Let one account join and one leave; one loses its role, one is denied, one throttled."""
        simulation = self._simulation
        simulation.aws.accounts[self.joined.id] = self.joined
        simulation.name(self.joined)
        self.joined_at = CLOCK.seconds + 61  # the functions read the members once a minute
        simulation.name(self.left, state=MemberState.LEFT)
        for account, fault in zip(self._failing, Fault, strict=True):
            account.fault = fault
            simulation.ever_failed.add(account.id)

    def recover(self) -> None:
        """Let those be read again that were not broken from the beginning."""
        for account in self._failing:
            account.fault = None

    @property
    def read(self) -> list[Account]:
        """The members that can be read at the end."""
        members = [*self._simulation.members, self.joined]
        return [each for each in members if not each.fault and each is not self.left]


def find_lost(simulation: Simulation, moves: Moves) -> Iterator[str]:
    """Describe what was lost."""
    yield from find_wrong_findings(simulation, moves)
    yield from find_lost_changes(simulation, moves)
    for account in moves.read:
        stored = simulation.table.get(account.id)
        if not stored or not stored.swept_at or stored.is_due(CLOCK.now()):
            yield f"{account.id}: not swept in the last period"
    for queue in (simulation.changes, simulation.second):
        for record in queue.dead:
            if record["recipientAccountId"] not in simulation.ever_failed:
                yield f"{record['eventID']} of {record['recipientAccountId']}: given up"
    for stream in (simulation.member_stream, simulation.findings_stream):
        yield from (f"{each['key']}: record given up" for each in stream.given_up)
    if not simulation.aws.messages:
        yield "no alert was sent"


def find_wrong_findings(simulation: Simulation, moves: Moves) -> Iterator[str]:
    """Compare the findings with what EC2 has, and with which accounts can be read."""
    table = simulation.aws.tables["findings"]
    vpcs = [(each, at) for each in moves.read if each.is_small for at in range(each.vpcs)]
    for account, at in vpcs:
        scope = simulation.name_vpc(account, at)
        found = find_findings(table[scope], "open")
        for name, rule in RULES.items():
            state = getattr(account.states[at], name)
            if (rule in found) != state:
                yield f"{scope}: {name} is {state}, its findings are {sorted(found)}"
    for account in [*moves.read, *moves.broken]:
        access = table.get(f"{account.id}/{REGION}/{REGION}", {})
        if (UNREADABLE in find_findings(access, "unknown")) != bool(account.fault):
            yield f"{account.id}: its fault is {account.fault}, which its finding does not say"
    for scope, items in table.items():
        if scope.startswith(moves.left.id) and find_findings(items, "open", "unknown"):
            yield f"{scope}: left, and has findings"


def find_lost_changes(simulation: Simulation, moves: Moves) -> Iterator[str]:
    """Compare the changes with when their VPCs were observed."""
    table = simulation.aws.tables["findings"]
    for seconds, account, at, record in simulation.made:
        name = f"{record['eventName']} of {account.id} at {seconds:.0f}"
        is_handled = record["eventID"] in simulation.handled
        scope = table.get(simulation.name_vpc(account, at), {}).get("#head", {})
        observed = scope.get("observed_at", {"S": ""})["S"]
        if account in moves.broken and is_handled:
            yield f"{name}: acknowledged, and not evaluated"
        elif account not in moves.broken and not (is_handled and observed >= record["eventTime"]):
            yield f"{name}: not evaluated"


def report(simulation: Simulation) -> Json:
    """Return what everything took, by phase and function, and what it costs."""
    failed = simulation.ever_failed
    delays = [
        simulation.delays[each["eventID"]]
        for _, account, _, each in simulation.made
        if account.id not in failed and each["eventID"] in simulation.delays
    ]
    functions, usage = simulation.functions, simulation.functions.usage
    return {
        "accounts": len(simulation.members),
        "vpcs": sum(each.vpcs for each in simulation.members),
        "changes": len(simulation.made),
        "dead_letters": len(simulation.changes.dead) + len(simulation.second.dead),
        "alerts": len(simulation.aws.messages),
        "largest_batches": [simulation.changes.largest, simulation.second.largest],
        "longest_delay": round(max(delays, default=0), 1),
        "longest_between_sweeps": round(simulation.longest_between_sweeps),
        "round_seconds": {
            phase: round(seconds, 1) for phase, seconds in simulation.round_seconds.items()
        },
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "phases": {
            phase: {name: describe(used, functions.memory(name)) for name, used in each.items()}
            for phase, each in usage.items()
        },
    }


def describe(used: Usage, memory: int) -> Json:
    """Return the figures of a function's invocations."""
    prices = read_prices()
    return {
        "invocations": used.invocations,
        "cpu": round(used.cpu, 1),
        "cpu_each": round(used.cpu / used.invocations, 4),
        "longest_cpu": round(used.longest_cpu, 2),
        "seconds_each": round(used.seconds / used.invocations, 3),
        "longest": round(used.longest, 1),
        "timeouts": used.timeouts,
        "read_units": round(used.read),
        "write_units": round(used.write),
        "calls": dict(sorted(used.calls.items())),
        "dollars": round(
            used.seconds * memory / 1024 * prices["GB-second"]
            + used.invocations * prices["invocation"]
            + used.read * prices["read unit"]
            + used.write * prices["write unit"],
            4,
        ),
    }


def read_prices() -> dict[str, float]:
    """Return the prices of docs/operations.md by name."""
    page = (shared_paths.ROOT / "docs/operations.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| ([\w -]+) \| \$([\d.]+)( per million)? \|", page, re.MULTILINE)
    return {name: float(price) / (1e6 if million else 1) for name, price, million in found}


def main(accounts: int, large: int, minutes: float, partial: bool) -> None:
    """Simulate, check and print."""
    simulation = Simulation(accounts, large)
    moves = Moves(simulation)
    simulation.begin("first sweep")
    simulation.name(*simulation.members)
    simulation.sweep()
    simulation.run(PERIOD - 60)
    if partial:
        print(json.dumps(report(simulation)), flush=True)
    simulation.begin("changes and sweep")
    for at in range(int(minutes * 60 * RATE)):
        simulation.at(CLOCK.seconds + at / RATE, lambda: simulation.change(moves.choose()))
    simulation.at(PERIOD, simulation.sweep)
    simulation.at(PERIOD + 5, moves.make)
    simulation.run(2 * PERIOD)
    if partial:
        print(json.dumps(report(simulation)), *find_lost(simulation, moves), sep="\n", flush=True)
    simulation.begin("steady sweep")
    moves.recover()
    simulation.sweep()
    simulation.run(4 * PERIOD)
    problems = list(find_lost(simulation, moves))
    print(json.dumps(report(simulation), indent=1))
    if problems:
        sys.exit("\n".join([f"{len(problems)} lost:", *problems[:20]]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=5000)
    parser.add_argument("--large", type=int, default=3000, help="VPCs of the large account")
    parser.add_argument("--minutes", type=float, default=10, help="of changes")
    parser.add_argument("--partial", action="store_true", help="print after each phase")
    main(**vars(parser.parse_args()))
