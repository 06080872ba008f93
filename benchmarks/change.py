"""Measure one change in a region of 100 VPCs in a warm process, by part.

`new`: a VPC that was never observed. `changed`: a known VPC whose default route was deleted, so
findings are resolved and opened. `same`: the second evaluation of that change, five minutes later.

Run: `.venv/bin/python benchmarks/change.py [LATENCY [RESOLVED]]`; prints one JSON object, medians
in milliseconds of CPU without the synthetic AWS's own, and `bare`: five describes of one VPC with
boto3 alone. RESOLVED is how many findings of each VPC were resolved before.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any

from bare_describes import read_all
from synthetic_aws import ACCOUNT, REGION, Json, SyntheticAws
from synthetic_region import (
    HOME,
    build_change,
    build_evaluator,
    build_queue_event,
    build_region,
)

import posture.evaluation.changes
import posture.evaluation.rule_results
from posture.changes.batch import parse_sqs_event
from posture.ec2.observer import Observer
from posture.evaluation.changes import Evaluator
from posture.evaluation.scope_resolver import ScopeResolver
from posture.model.scope import Scope
from posture.rules.engine import evaluate_context
from posture.store.scope_store import Store

RUNS = 40
WARM = 5
PARTS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "parse": (posture.evaluation.changes, parse_sqs_event),
    "resolve": (ScopeResolver, ScopeResolver.resolve),
    "read": (Observer, Observer.collect_vpc),
    "evaluate": (posture.evaluation.rule_results, evaluate_context),
    "write": (Store, Store.record),
}


class PartTimer:
    """The monitor's own CPU time, by part."""

    def __init__(self, aws: SyntheticAws, describe: Callable[[], None]) -> None:
        self._aws = aws
        self.describe = describe  # with boto3 alone
        self.spent: dict[str, float] = defaultdict(float)

    def now(self) -> float:
        """Return the CPU seconds that are not the synthetic AWS's."""
        return time.process_time() - self._aws.answering

    def wrap(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that adds its time to a part."""

        def timed(*args: Any, **options: Any) -> Any:
            started = self.now()
            try:
                return act(*args, **options)
            finally:
                self.spent[name] += self.now() - started

        return timed


def build_route_deletion(table: str, number: int) -> Json:
    """Return the CloudTrail record of a deleted default route."""
    return build_change("", number) | {
        "eventName": "DeleteRoute",
        "requestParameters": {"routeTableId": table, "destinationCidrBlock": "0.0.0.0/0"},
    }


def format_now(age: timedelta) -> str:
    """Return the time of an event of this age."""
    return f"{datetime.now(UTC) - age:%Y-%m-%dT%H:%M:%SZ}"


def settle(aws: SyntheticAws, vpcs: Sequence[str]) -> None:
    """Make the scope records those of an hour later, when no event amends a cause any more."""
    for vpc in vpcs:
        record = aws.tables["findings"][str(Scope(ACCOUNT, REGION, vpc))]["#head"]
        record.pop("unsettled_at", None)


def measure(
    evaluator: Evaluator,
    aws: SyntheticAws,
    timer: PartTimer,
    records: Sequence[Json],
    age: timedelta,
) -> Json:
    """Evaluate one change of this age after the other; return the median of each part.

    Five describes with boto3 alone are measured in turns with them.
    """
    runs: dict[str, list[float]] = defaultdict(list)
    for at, record in enumerate(records):
        timer.spent.clear()
        aws.calls.clear()
        event = build_queue_event([{**record, "eventTime": format_now(age)}])
        started = timer.now()
        evaluated = evaluator.evaluate(event)
        timer.spent["total"] = timer.now() - started
        calls, started = aws.calls.total(), timer.now()
        timer.describe()
        timer.spent["bare"] = timer.now() - started
        assert not evaluated.failed
        assert [each.scope.vpc_id is not None for each in evaluated.results] == [True]
        if at >= WARM:
            for part, seconds in timer.spent.items():
                runs[part].append(seconds * 1000)
    medians: Json = {part: round(median(values), 2) for part, values in runs.items()}
    transitions = sum(len(each.transitions) for each in evaluated.results)
    least = min(runs["total"])
    return medians | {
        "least": round(least, 2),
        "ratio": round(medians["total"] / medians["bare"], 1),
        "least_ratio": round(least / min(runs["bare"]), 1),
        "calls": calls,
        "transitions": transitions,
    }


def add_resolved(aws: SyntheticAws, vpcs: Sequence[str], number: int) -> None:
    """Store findings that were resolved long ago, which differ in their resources only."""
    keys = [f"~resolved#required-service-without-endpoint#subnet-{at}" for at in range(number)]
    for vpc in vpcs if number else ():
        items = aws.tables["findings"][str(Scope(ACCOUNT, REGION, vpc))]
        finding = next(item for item in items.values() if item["kind"] == {"S": "finding"})
        item = {**finding, "status": {"S": "resolved"}}
        items.update((key, item) for key in keys)


def main(latency: float, resolved: int) -> None:
    """Measure and print."""
    session, aws = build_region(100)
    number = RUNS + WARM
    vpcs = [row["VpcId"] for row in aws.rows("DescribeVpcs")[:number]]
    bare = session.client("ec2")  # before the evaluator's, with botocore's own parsers
    one_vpc = [{"Name": "vpc-id", "Values": vpcs[:1]}]
    timer = PartTimer(aws, partial(read_all, bare, Filters=one_vpc))
    for name, (holder, act) in PARTS.items():
        setattr(holder, act.__name__, timer.wrap(name, act))
    evaluator, observer = build_evaluator(session), Observer(session.client("ec2"), HOME)
    tables = {
        row["VpcId"]: row["RouteTableId"]
        for row in aws.rows("DescribeRouteTables")
        if any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in row["Routes"])
    }
    unchanged = [build_change(vpc, at) for at, vpc in enumerate(vpcs)]
    routes = [build_route_deletion(tables[vpc], number + at) for at, vpc in enumerate(vpcs)]
    results: Json = {"latency": latency, "resolved": resolved}
    seconds, minutes = timedelta(seconds=5), timedelta(minutes=5)
    for name, records, age in (
        ("new", unchanged, seconds),
        ("changed", routes, seconds),
        ("same", routes, minutes),
    ):
        if name != "new":
            settle(aws, vpcs)
        if name == "changed":
            aws.delete_default_routes()
            add_resolved(aws, vpcs, resolved)
        aws.latency = 0
        for vpc in vpcs:  # builds the synthetic answers, so that this is not measured
            observer.collect_vpc(Scope(ACCOUNT, REGION, vpc))
        aws.latency = latency
        results[name] = measure(evaluator, aws, timer, records, age)
    print(json.dumps(results))


if __name__ == "__main__":
    main(float((sys.argv[1:] or ["0"])[0]), int((sys.argv[2:] or ["0"])[0]))
