"""Material for reports of any size, with names as hostile as AWS lets them be."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from finding_builders import verdict
from posture.analysis.path import PathKind
from posture.lifecycle.diff import apply_transitions, find_transitions
from posture.model.finding import Attribution, Cause, Step, Transition
from posture.model.scope import Scope
from posture.model.verdict import Severity, Status
from posture.rules.control_counts import CONTROLS
from posture.rules.rule_catalogue import RULES_BY_ID
from posture.store.hash_chain import Chain
from posture.store.items import Entry
from posture.store.scope_record import ScopeRecord
from posture_cli.audit.observed import ObservedPeriod
from posture_cli.audit.open_tables import OpenTables, VpcMatrix
from posture_cli.audit.scope_reader import ReadScope
from posture_cli.audit.verify import VerificationResult
from posture_cli.report.collect import FindingCollector, ReportPeriod
from posture_cli.report.networks import build_vpc_paths
from posture_cli.report.pack import unpack
from posture_cli.report.report_model import HistoryCheck, ReportData
from stack_tables import TABLES

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
START = NOW - timedelta(days=90)
HOSTILE = (
    "<script>document.title='pwned'</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE findings; --",
    "</details></style>{{ 7*7 }}",
    "javascript:alert(1)",
)
SCOPES = (
    *(Scope("111122223333", "eu-west-1", f"vpc-0a1b2c3d4e5f6071{number}") for number in range(3)),
    Scope("444455556666", "us-east-1", "vpc-0a1b2c3d4e5f60713"),
)
NAMES = {SCOPES[0].subject: "payments", SCOPES[2].subject: "analytics", "111122223333": "prod"}


def material(count: int, *, hostile: bool = False, names: int = 3) -> ReportData:
    """Return what a report of so many standing findings is made from; half as many are resolved.

    Args:
        count: The number of findings.
        hostile: Whether names are hostile.
        names: How many VPCs and accounts have names.
    """
    period = ReportPeriod(START, NOW)
    collector = FindingCollector(period)
    rows = 0
    for number, scope in enumerate(SCOPES):
        mine = range(number, count, len(SCOPES))
        lives = live_through(count + number, scope, len(mine), hostile=hostile)
        for step in chain.from_iterable(lives):
            rows += 1
            collector.add(Entry(step, f"c-{rows}", 1, step.finding.updated_at, rows))
        collector.finish(read_scope(scope, None if number == 0 else _record(scope)))
    findings = collector.collect()
    listed = dict(list(NAMES.items())[:names])
    if hostile:
        listed = dict.fromkeys(listed, HOSTILE[0])
    return ReportData(
        title="stack posture",
        period=period,
        observed=ObservedPeriod(START, NOW, tuple(findings.observed)),
        findings=findings,
        networks=[
            build_vpc_paths(
                VpcMatrix(scope, NOW, matrix(hostile=hostile)), listed.get(scope.subject, "")
            )
            for scope in SCOPES[: 2 if count else 1]
        ],
        waivers=[waiver(hostile=hostile)] if count else [],
        history=HistoryCheck((), (f"{rows} rows in {len(SCOPES)} chains: intact",)),
        names=listed,
    )


def _attribute(step: Transition, attribution: Attribution) -> Transition:
    """Say what caused a transition."""
    finding = replace(step.finding, caused_by=attribution)
    if step.step is Step.RESOLVED:
        return replace(step, finding=replace(finding, resolved_by=attribution))
    return replace(step, finding=replace(finding, opened_by=attribution))


def read_scope(scope: Scope, record: ScopeRecord | None) -> ReadScope:
    """Return a scope as it is read."""
    client: Any = None
    tables = OpenTables(client, TABLES, client)
    return ReadScope(tables, scope, VerificationResult(str(scope), Chain()), record)


def _record(scope: Scope) -> ScopeRecord:
    """Return the record of a scope in which some resource passed every check."""
    checks = frozenset(str(check) for checks in CONTROLS.values() for check in checks)
    return ScopeRecord(scope, NOW, 1, first_observed_at=START, passed=checks)


def read_whole(page: str) -> str:
    """Return the text of a page with everything that is packed in it."""
    packed = re.findall(r'id="pack-[^"]+">([^<]*)<', page)
    return page + "".join(json.dumps(unpack(each), ensure_ascii=False) for each in packed)


def live_through(
    seed: int, scope: Scope, count: int, *, hostile: bool
) -> Iterator[Sequence[Transition]]:
    """Let findings open over three months, and some of them be repaired: evaluation by evaluation.

    Args:
        seed: The same seed makes the same findings.
        scope: The scope.
        count: How many findings are left at the end; half as many are resolved.
        hostile: Whether names are hostile.
    """
    dice = random.Random(seed)  # noqa: S311 - the same page at every run
    rules = list(RULES_BY_ID)
    names = HOSTILE if hostile else ("subnet-0a1b2c3d4e5f6071", "rtb-0a1b2c3d4e5f6071")
    verdicts = [
        verdict(
            dice.choice(rules),
            f"{dice.choice(names)}{number}",
            dice.choice([Status.FAIL] * 9 + [Status.UNKNOWN]),
            severity=dice.choice(list(Severity)),
            summary=f"Subnet {dice.choice(names)}{number} sends part of its S3 traffic to a NAT.",
            evidence=[f"Route table rtb-{number} has 52.216.0.0/15 to nat-0a, more specific."] * 2,
        )
        for number in range(count * 3 // 2)
    ]
    found: dict[str, Any] = {}
    rounds = 12
    for turn in range(rounds):
        instant = START + (NOW - START) * (turn + 1) / (rounds + 1)
        upto = len(verdicts) * (turn + 1) // rounds
        gone = len(verdicts) // 3 if turn == rounds - 1 else 0
        alice = "arn:aws:iam::111122223333:user/alice"
        actor = names[turn % len(names)] if hostile else alice
        cause = Cause(
            event_id=f"e-{turn}",
            event_name="CreateRoute",
            actor=actor,
            time=instant - timedelta(minutes=1),
            source_ip="198.51.100.7",
            user_agent="<b>agent</b>" if hostile else "terraform/1.9",
        )
        steps = find_transitions(scope, found, verdicts[gone:upto], observed_at=instant)
        new = [_attribute(step, Attribution(cause)) for step in steps]
        found = apply_transitions(found, new)
        if new:
            yield new


def waiver(*, hostile: bool) -> dict[str, str]:
    """Return a row of the table of waivers."""
    return {
        "rule": "subnet-internet-path",
        "where": HOSTILE[0] if hostile else "vpc-0a1b2c3d4e5f60710",
        "who": "alice",
        "why": HOSTILE[1] if hostile else "migration until Christmas",
        "until": "2026-12-24",
    }


def central_answer(status: str, name: str) -> dict[str, Any]:
    """Return the answer of a service that an endpoint in another VPC serves."""
    steps = [
        ["route", "rtb-0a", "holds", "111122223333"],
        ["transit gateway route", f"tgw-rtb-{name}", status, "444455556666"],
        ["return route", "rtb-0hub", "holds", "444455556666"],
    ]
    path = {
        "endpoint": "vpce-0logs",
        "interfaces": ["eni-3"],
        "vpc": "vpc-0a1b2c3d4e5f60719",
        "account": "444455556666",
        "status": status,
        "steps": steps,
    }
    answer: dict[str, Any] = {
        "outcome": "endpoint" if status == "holds" else "blocked",
        "summary": "resolves to vpce-0logs in vpc-0a1b2c3d4e5f60719",
        "central": [path],
    }
    if status != "holds":
        answer["deciding"] = {
            "about": "transit gateway route",
            "status": status,
            "subject": f"tgw-rtb-{name}",
            "account": "444455556666",
            "text": f"tgw-rtb-{name} has no route to 10.9.0.0/24",
        }
    return answer


def matrix(*, hostile: bool) -> dict[str, Any]:
    """Return a recorded matrix in which everything occurs."""
    name = HOSTILE[0] if hostile else "payments"
    services = ["dynamodb", "s3", "kms", "sqs", "ecr.dkr", "logs"]
    dynamodb, s3, nat, blackhole = (
        {"path": path, "target": target}
        for path, target in (
            (PathKind.GATEWAY_ENDPOINT.value, "vpce-0dynamodb"),
            (PathKind.GATEWAY_ENDPOINT.value, "vpce-0s3"),
            (PathKind.NAT_GATEWAY.value, "nat-0a"),
            (PathKind.BLACKHOLE.value, "pcx-0a"),
        )
    )
    answers: list[dict[str, Any]] = [
        {
            "outcome": "endpoint",
            "summary": "all traffic is routed to vpce-0dynamodb",
            "paths": [dynamodb],
        },
        {
            "outcome": "internet",
            "summary": "part of the traffic is routed to nat-0a",
            "paths": [nat, s3],
        },
        {
            "outcome": "endpoint",
            "summary": "vpce-0kms is reachable",
            "interfaces": [{"id": "eni-1"}],
        },
        {"outcome": "blocked", "summary": f"blocked by {name}", "interfaces": [{"id": "eni-2"}]},
        {"outcome": "unknown", "summary": "the route table cannot be read"},
        {
            "outcome": "no route",
            "summary": "dropped by the blackhole route to pcx-0a",
            "paths": [blackhole],
        },
        {"outcome": "endpoint", "summary": "all traffic is routed to vpce-0s3", "paths": [s3]},
        central_answer("holds", name),
        central_answer("broken", name),
    ]
    rows = {
        "private-a": [0, 6, 2, 3, 4, 7],
        "private-b": [0, 6, 2, 2, 5, 7],
        "private-c": [0, 6, 2, 2, 5, 7],
        "legacy-a": [0, 1, 2, 3, 5, 8],
    }
    return {
        "schema": 1,
        "services": [
            {
                "name": f"com.amazonaws.eu-west-1.{it}",
                "short": it,
                "endpoints": [f"vpce-0{it}"],
                "names": [],
            }
            for it in services
        ],
        "subnets": [
            {
                "id": f"subnet-{it}",
                "name": f"{name}-{it}",
                "zone": f"eu-west-1{it[-1]}",
                "addresses": ["10.0.0.0/24"],
                "route_table": f"rtb-{it.partition('-')[0]}",
                "main": False,
                "network_acl": "acl-1",
            }
            for it in rows
        ],
        "answers": answers,
        "cells": {f"subnet-{it}": row for it, row in rows.items()},
        "unreadable": {},
    }
