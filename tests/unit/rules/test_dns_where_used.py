"""A scan reads DNS attributes only where a rule asks for them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from network_strategies import snapshots
from posture.model.baseline import Baseline
from posture.model.network import EndpointType, Snapshot
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context

REQUIRED = Baseline(required_services=("s3", "kms"))


@settings(max_examples=20)
@given(snapshots())
def test_no_verdict_of_a_vpc_without_private_dns_depends_on_them(
    snapshot: Snapshot,
) -> None:
    """Whatever they are, and if they are not known."""
    endpoints = {
        name: each
        if each.type is EndpointType.GATEWAY or each.deleted
        else replace(each, private_dns=False)
        for name, each in snapshot.endpoints.items()
    }
    answers = set()
    for value in (None, True, False):
        vpc = replace(snapshot.vpc, dns_support=value, dns_hostnames=value)
        known = replace(snapshot, vpc=vpc, endpoints=endpoints)
        answers.add(repr(evaluate_context(VpcContext(known, REQUIRED, proposes=False))))
    assert len(answers) == 1
