"""The bill of the plan in docs/scale.md: every line from a named price and a named quantity.

Run: `.venv/bin/python benchmarks/bill.py`; prints tables in Markdown. Prices are those of
us-east-1; what was measured comes from `make bench` and `benchmarks/units.py`, what is assumed
says so. A price that could not be found in AWS's own words names where it was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HOURS = 730
SECONDS = HOURS * 3600
MILLION = 1e6
KEY_REUSE = 300  # seconds that SQS uses a data key (SetQueueAttributes, its default)
FULL_CPU = 1769  # MB of a function with one whole vCPU (Lambda: Configure function memory)


@dataclass(frozen=True)
class Price:
    """Dollars for one unit, and who says so."""

    dollars: float
    unit: str
    source: str


PRICES = {
    "interface endpoint": Price(
        0.01, "an hour and zone", "third parties, of AWS PrivateLink pricing"
    ),
    "interface traffic": Price(0.01, "a GB of the first PB", "AWS PrivateLink pricing"),
    "event": Price(
        1.00, "a million to another account's bus", "third parties, of EventBridge pricing"
    ),
    "queue request": Price(0.40, "a million", "third parties, of SQS pricing"),
    "GB-second": Price(0.0000133334, "one of arm64", "third parties, of Lambda pricing"),
    "invocation": Price(0.20, "a million", "third parties, of Lambda pricing"),
    "write unit": Price(0.625, "a million on demand", "third parties, of the cut of November 2024"),
    "read unit": Price(0.125, "a million on demand", "third parties, of the cut of November 2024"),
    "log": Price(0.50, "a GB taken in", "third parties, of CloudWatch pricing"),
    "alarm": Price(0.10, "a month", "third parties, of CloudWatch pricing"),
    "dashboard": Price(
        3.00, "a month after the first three", "third parties, of CloudWatch pricing"
    ),
    "key": Price(1.00, "a month", "third parties, of KMS pricing"),
    "key request": Price(3.00, "a million", "third parties, of KMS pricing"),
}


@dataclass(frozen=True)
class Measured:
    """What one piece of work takes, from the benchmarks; seconds are of a whole vCPU."""

    evaluation_cpu: float = 0.026  # `benchmarks/change.py 0.03`, in a known VPC
    evaluation_waiting: float = 0.20  # the same with 30 ms a call
    sweep_cpu: float = 0.033  # `benchmarks/sweep.py 2 0.03`, from the second one on
    sweep_waiting: float = 0.26
    role: float = 0.1  # assumed: its assumption, and the first connection, for each place
    evaluation_reads: float = 2  # `benchmarks/units.py`, as all units
    evaluation_writes: float = 4
    sweep_reads: float = 0.25  # a VPC
    sweep_writes: float = 6
    transition_writes: float = 27


@dataclass(frozen=True)
class Plan:
    """What there is to watch, and how it is watched. Assumed, all of it."""

    accounts: int = 5000
    regions: int = 20
    vpcs_a_place: int = 2
    events_a_second: float = 10
    accounts_a_stack: int = 200  # what fits into a function's environment
    sweeps_a_month: float = HOURS
    transitions_an_event: float = 0.05
    zones: int = 2
    kilobytes_a_look: float = 50
    log_kilobytes_a_look: float = 1
    alarms: int = 13
    measured: Measured = Measured()

    @property
    def places(self) -> int:
        """One region of one account each."""
        return self.accounts * self.regions

    @property
    def stacks(self) -> int:
        """In all regions; those of one region share its VPC and endpoints."""
        return self.regions * -(-self.accounts // self.accounts_a_stack)

    @property
    def events(self) -> float:
        """A month."""
        return self.events_a_second * SECONDS

    @property
    def vpc_sweeps(self) -> float:
        """A month: how often some VPC is looked at by a sweep."""
        return self.places * self.vpcs_a_place * self.sweeps_a_month

    def batches(self, window: float) -> float:
        """Give the batches a month of a queue that waits so many seconds for more."""
        rate = self.events_a_second / self.stacks
        return self.events / (1 + rate * window)


@dataclass(frozen=True)
class Line:
    """One line of the bill."""

    what: str
    arithmetic: str
    dollars: float


def seconds_at(megabytes: int, cpu: float, waiting: float) -> float:
    """Give how long a function of so much memory takes: it has CPU in proportion."""
    return waiting + cpu / min(1, megabytes / FULL_CPU)


def cost(price: str, quantity: float) -> float:
    """Give the dollars of a quantity; of what is sold by the million, in single ones."""
    each = PRICES[price]
    return quantity * each.dollars / (MILLION if each.unit.startswith("a million") else 1)


def lines(plan: Plan) -> Iterator[Line]:
    """Give the bill, line by line."""
    yield from _fixed(plan)
    yield from _events(plan)
    yield from _sweeps(plan)


def total(plan: Plan) -> float:
    """Give the sum of all lines."""
    return sum(line.dollars for line in lines(plan))


def _fixed(plan: Plan) -> Iterator[Line]:
    interfaces = 3 * plan.zones * plan.regions
    yield Line(
        "interface endpoints",
        f"ec2, sns, sts × {plan.zones} zones × {plan.regions} regions × {HOURS} h",
        cost("interface endpoint", interfaces * HOURS),
    )
    yield Line("keys", f"{plan.stacks} stacks", cost("key", plan.stacks))
    yield Line("alarms", f"{plan.stacks} × {plan.alarms}", cost("alarm", plan.stacks * plan.alarms))
    yield Line(
        "dashboards", f"{plan.stacks}, three free", cost("dashboard", max(0, plan.stacks - 3))
    )
    polls = plan.stacks * 2 * 5 * SECONDS / 20
    yield Line(
        "polling",
        f"{plan.stacks} × 2 queues × 5 pollers, one in 20 s: {polls / MILLION:.0f} million",
        cost("queue request", polls),
    )


def _events(plan: Plan) -> Iterator[Line]:
    it = plan.measured
    events, looks = plan.events, 2 * plan.events
    batches = plan.batches(5) + plan.batches(60)
    seconds = looks * seconds_at(1024, it.evaluation_cpu, it.evaluation_waiting)
    yield Line("events to the bus", f"{events / MILLION:.1f} million", cost("event", events))
    yield Line(
        "their way through two queues",
        f"{events / MILLION:.1f} million × 2 × 3 requests",
        cost("queue request", events * 6),
    )
    keys = 2 * min(3 * events, 3 * plan.stacks * SECONDS / KEY_REUSE)
    yield Line(
        "keys' requests for them",
        f"2 queues × 3 a change, at most 3 in {KEY_REUSE} s a stack: {keys / MILLION:.0f} million",
        cost("key request", keys),
    )
    yield Line(
        "evaluate",
        f"{looks / MILLION:.1f} million looks, {seconds / MILLION:.1f} million GB-s; "
        f"{batches / MILLION:.1f} million batches",
        cost("GB-second", seconds) + cost("invocation", batches),
    )
    yield Line(
        "evaluate's reads and writes",
        f"{looks / MILLION:.1f} million × {it.evaluation_reads:g} and "
        f"{it.evaluation_writes:g} units",
        cost("read unit", looks * it.evaluation_reads)
        + cost("write unit", looks * it.evaluation_writes),
    )
    transitions = events * plan.transitions_an_event
    yield Line(
        "transitions",
        f"{transitions / MILLION:.1f} million × {it.transition_writes:g} units",
        cost("write unit", transitions * it.transition_writes),
    )
    gigabytes = looks * plan.kilobytes_a_look / MILLION
    yield Line("traffic to EC2", f"{gigabytes:,.0f} GB", cost("interface traffic", gigabytes))
    logged = looks * plan.log_kilobytes_a_look / MILLION
    yield Line("logs", f"{logged:,.0f} GB", cost("log", logged))


def _sweeps(plan: Plan) -> Iterator[Line]:
    it = plan.measured
    places = plan.places * plan.sweeps_a_month
    seconds = 2 * places * seconds_at(2048, it.sweep_cpu, it.sweep_waiting + it.role)
    yield Line(
        "sweep",
        f"{places / MILLION:.1f} million places, {seconds / MILLION:.0f} million GB-s",
        cost("GB-second", seconds) + cost("invocation", plan.stacks * plan.sweeps_a_month),
    )
    yield Line(
        "sweep's reads and writes",
        f"{plan.vpc_sweeps / MILLION:.0f} million VPCs × {it.sweep_reads:g} and "
        f"{it.sweep_writes:g} units",
        cost("read unit", plan.vpc_sweeps * it.sweep_reads)
        + cost("write unit", plan.vpc_sweeps * it.sweep_writes),
    )
    gigabytes = plan.vpc_sweeps * plan.kilobytes_a_look / MILLION
    yield Line(
        "sweep's traffic to EC2", f"{gigabytes:,.0f} GB", cost("interface traffic", gigabytes)
    )


@dataclass(frozen=True)
class Hot:
    """What a place asks of EC2 where so many changes a second are spread over its VPCs."""

    rate: float
    vpcs: int = 100
    batch: int = 500  # at most, as in template.yaml

    def evaluations(self) -> float:
        """Give those a second, of first and second looks: a batch folds changes of one VPC."""
        return sum(
            batches * self._touched(self.rate / batches)
            for batches in (self._batches(5), self._batches(60))
        )

    def attribute_calls(self) -> float:
        """Give the requests a second of DescribeVpcAttribute: two an evaluation."""
        return 2 * self.evaluations()

    def other_calls(self) -> float:
        """Give those of each other call: one a batch, whatever number of VPCs it concerns."""
        return self._batches(5) + self._batches(60)

    def _batches(self, window: float) -> float:
        return max(self.rate / self.batch, min(self.rate, 1 / window))

    def _touched(self, changes: float) -> float:
        """Give how many VPCs so many changes concern, if each is as likely."""
        missed: float = (1 - 1 / self.vpcs) ** changes
        return self.vpcs * (1 - missed)


PLANS = {
    "as it is built": Plan(),
    "swept daily": Plan(sweeps_a_month=HOURS / 24),
    "one stack a region": Plan(accounts_a_stack=5000),
    "one stack a region, swept daily": Plan(accounts_a_stack=5000, sweeps_a_month=HOURS / 24),
}


def main() -> None:
    """Print the bill, what it would be otherwise, and the prices."""
    plan = PLANS["as it is built"]
    print("| what | arithmetic | dollars a month |\n| --- | --- | --- |")
    for line in lines(plan):
        print(f"| {line.what} | {line.arithmetic} | {line.dollars:,.0f} |")
    print(f"| **sum** | | **{total(plan):,.0f}** |\n")
    print("| otherwise | dollars a month | an account, cents |\n| --- | --- | --- |")
    for name, other in PLANS.items():
        print(f"| {name} | {total(other):,.0f} | {100 * total(other) / other.accounts:.0f} |")
    print(
        "\n| changes a second | evaluations a second | DescribeVpcAttribute a second |"
        " each other Describe a second |\n| --- | --- | --- | --- |"
    )
    for rate in (1, 5, 10, 20, 50):
        hot = Hot(rate)
        print(
            f"| {rate} | {hot.evaluations():.1f} | {hot.attribute_calls():.1f} |"
            f" {hot.other_calls():.2f} |"
        )
    print("\n| price | dollars | for | found in |\n| --- | --- | --- | --- |")
    for name, price in PRICES.items():
        print(f"| {name} | {price.dollars:g} | {price.unit} | {price.source} |")


if __name__ == "__main__":
    main()
