"""One change in a region of 100 VPCs, in a warm process: what takes its time.

`new`: a VPC that was never looked at. `changed`: one that was, and of which somebody has deleted
the default route: findings are resolved and others opened. `same`: the same one again, with
nothing new, as at the second look that every change gets.

Run: `.venv/bin/python benchmarks/change.py [LATENCY]`; prints one JSON object, medians in
milliseconds of CPU. What the synthetic AWS takes for its answers is not in them.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from burst import queue_event, record_of
from synthetic_aws import ACCOUNT, REGION, SyntheticAws
from world import HOME, evaluator_of, region_of

import posture.evaluation.changes
import posture.evaluation.scope
from posture.ec2.observer import Observer
from posture.evaluation.changes import Evaluator
from posture.evaluation.scope_resolver import ScopeResolver
from posture.model.scope import Scope
from posture.store.scope_store import Store

RUNS = 40
WARM = 5
PARTS = (
    (posture.evaluation.changes, "parse_sqs_event", "parse"),
    (ScopeResolver, "place", "place"),
    (Observer, "vpc", "collect"),
    (posture.evaluation.scope, "evaluate_context", "analyse"),
    (Store, "record", "store"),
)

Json = dict[str, Any]


class Clock:
    """The monitor's own CPU time, by part."""

    def __init__(self, aws: SyntheticAws) -> None:
        self._aws = aws
        self.spent: dict[str, float] = defaultdict(float)

    def now(self) -> float:
        """Give the seconds that are not the synthetic AWS's."""
        return time.process_time() - self._aws.answering

    def timing(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """Count what a function takes under this name."""

        def timed(*args: Any, **options: Any) -> Any:
            started = self.now()
            try:
                return act(*args, **options)
            finally:
                self.spent[name] += self.now() - started

        return timed


def deleted_route(table: str, number: int) -> Json:
    """Give the CloudTrail record of a deleted default route."""
    return record_of("", number) | {
        "eventName": "DeleteRoute",
        "requestParameters": {"routeTableId": table, "destinationCidrBlock": "0.0.0.0/0"},
    }


def measured(
    evaluator: Evaluator, aws: SyntheticAws, clock: Clock, records: Sequence[Json]
) -> Json:
    """Evaluate one change after the other; give the median of each part."""
    runs: dict[str, list[float]] = defaultdict(list)
    for at, record in enumerate(records):
        clock.spent.clear()
        aws.calls.clear()
        event = queue_event([record])
        wall, started = time.perf_counter(), clock.now()
        evaluated = evaluator.evaluate(event)
        clock.spent["total"] = clock.now() - started
        clock.spent["wall"] = time.perf_counter() - wall
        assert not evaluated.failed
        assert [each.scope.vpc_id is not None for each in evaluated.results] == [True]
        if at >= WARM:
            for part, seconds in clock.spent.items():
                runs[part].append(seconds * 1000)
    told: Json = {part: round(median(all_of), 2) for part, all_of in runs.items()}
    transitions = sum(len(each.transitions) for each in evaluated.results)
    least = round(min(runs["total"]), 2)
    return told | {"least": least, "calls": aws.calls.total(), "transitions": transitions}


def prepared(session: Any, vpcs: Sequence[str]) -> None:
    """Have the answers ready, so that making them is not measured."""
    observer = Observer(session.client("ec2"), HOME)
    for vpc in vpcs:
        observer.vpc(Scope(ACCOUNT, REGION, vpc))


def main(latency: float) -> None:
    """Measure and print."""
    session, aws = region_of(100)
    clock = Clock(aws)
    for holder, attribute, name in PARTS:
        setattr(holder, attribute, clock.timing(name, getattr(holder, attribute)))
    evaluator = evaluator_of(session)
    number = RUNS + WARM
    vpcs = [row["VpcId"] for row in aws.rows("DescribeVpcs")[:number]]
    tables = {row["VpcId"]: row["RouteTableId"] for row in aws.rows("DescribeRouteTables")}
    looks = [record_of(vpc, at) for at, vpc in enumerate(vpcs)]
    routes = [deleted_route(tables[vpc], number + at) for at, vpc in enumerate(vpcs)]
    told: Json = {"latency": latency}
    for name, records in (("new", looks), ("changed", routes), ("same", looks)):
        if name == "changed":
            aws.delete_default_routes()
        aws.latency = 0
        prepared(session, vpcs)
        aws.latency = latency
        told[name] = measured(evaluator, aws, clock, records)
    print(json.dumps(told))


if __name__ == "__main__":
    main(float((sys.argv[1:] or ["0"])[0]))
