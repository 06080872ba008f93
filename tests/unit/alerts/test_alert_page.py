"""The e-mail that docs/alerts.md shows is one that the monitor sends."""

from dataclasses import replace
from pathlib import Path

from finding_builders import SCOPE, at, change, find_caused_transitions
from network_builders import (
    DYNAMODB,
    build_snapshot,
    gateway,
    nat,
    open_acl,
    route,
    subnet,
    table,
)
from posture.alerts.message import Message, compose
from posture.alerts.rule_texts import load_rule_texts
from posture.lifecycle.diff import apply_transitions
from posture.model.baseline import Baseline
from posture.model.network import Snapshot
from posture.model.scope import ScopeNames
from posture.remedies.prove import Prover
from posture.remedies.transitions import prove_transitions
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context, evaluate_vpc

PAGE = Path(__file__).parents[3] / "docs/alerts.md"


def network(*tables_of_dynamodb: str) -> Snapshot:
    """Build two subnets of one route table and a DynamoDB endpoint with these route tables."""
    to_dynamodb = [route("pl-ddb", "vpce-ddb")] if tables_of_dynamodb else []
    return build_snapshot(
        subnet("a", "a"), subnet("b", "b"), nat("1", None), open_acl("all", ["a", "b"]),
        gateway("s3", tables=["main"]), gateway("ddb", DYNAMODB, tables_of_dynamodb),
        table(
            "main", route("pl-s3", "vpce-s3"), *to_dynamodb, route("0.0.0.0/0", "nat-1"), main=True
        ),
    )  # fmt: skip


def alert() -> Message:
    """Compose the alert for when DynamoDB's endpoint loses the table that the subnets use."""
    before = find_caused_transitions(
        SCOPE, {}, evaluate_vpc(network("main"), Baseline()), observed_at=at(-60)
    )
    context = VpcContext(network(), Baseline())
    verdicts = evaluate_context(context)
    steps = find_caused_transitions(
        SCOPE,
        apply_transitions({}, before),
        verdicts,
        observed_at=at(0),
        changes=[replace(change("e-1", "vpce-ddb"), event_name="ModifyVpcEndpoint")],
    )
    proven = prove_transitions(Prover(context, verdicts), verdicts, steps)
    named = [
        replace(step, finding=replace(step.finding, names=ScopeNames("main", "payments-prod")))
        for step in proven
    ]
    return compose(
        named, commit="2026-01-31T12:00:00Z#1", parts=1, observed_at=at(0), rules=load_rule_texts()
    )


def test_the_documented_email_is_the_one_that_is_sent() -> None:
    """Subject and text, word by word."""
    page, sent = PAGE.read_text(encoding="utf-8"), alert()
    assert f"```\n{sent.subject}\n\n{sent.text}```" in page


def test_one_problem_is_described_once() -> None:
    """However many rules report it: one impact, one command."""
    text = alert().text
    assert text.count("IMPACT:") == 1
    assert text.count("aws ec2 modify-vpc-endpoint") == 1
    assert text.count("Verified:") == 1
