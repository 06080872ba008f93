"""Policies written for this project, each with the expected answers and the reason."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from posture.policy import (
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    PolicyDecision,
    Trust,
    decide_policy,
    evaluate,
    parse_policy,
)

CORPUS = Path(__file__).parent / "corpus"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ACCOUNT = "111122223333"
ANSWERS = {True: PolicyAnswer.YES, False: PolicyAnswer.NO, "unknown": PolicyAnswer.UNKNOWN}


def cases() -> Iterator[Any]:
    """Yield every case of every file."""
    for file in sorted(CORPUS.glob("*.yaml")):
        for case in yaml.safe_load(file.read_text())["cases"]:
            yield pytest.param(case, id=f"{file.stem}: {case['name']}")


def document(case: dict[str, Any]) -> str:
    """Return the text of a case's policy, without elements that are null."""
    stated = case["statements"]
    statements = stated if isinstance(stated, list) else [stated]
    kept = [{name: each for name, each in one.items() if each is not None} for one in statements]
    version = case.get("version", "2012-10-17")
    return json.dumps({**({"Version": version} if version else {}), "Statement": kept})


def expected(case: dict[str, Any]) -> PolicyCheck:
    """Return the endpoint and the trusted accounts of a case."""
    endpoint, trust = case.get("endpoint", {}), case.get("trust", {})
    return PolicyCheck(
        EndpointContext(
            ACCOUNT,
            endpoint.get("service", ""),
            endpoint.get("type") == "gateway",
            endpoint.get("vpc"),
            endpoint.get("id"),
        ),
        Trust(
            frozenset(trust.get("accounts", ())),
            frozenset(trust.get("organizations", ())),
            trust.get("strict", False),
            trust.get("own", ""),
        ),
        NOW,
    )


def decided(case: dict[str, Any]) -> PolicyDecision:
    """Decide a case."""
    return decide_policy(parse_policy(document(case)), expected(case))


@pytest.mark.parametrize("case", list(cases()))
def test_the_answers_are_the_expected_ones(case: dict[str, Any]) -> None:
    """Every question has the expected answer, and the evaluator allows every example."""
    found = decided(case)
    wanted = dict(zip(found.results, (ANSWERS[each] for each in case["expect"]), strict=True))
    assert {name: each.answer for name, each in found.results.items()} == wanted, case["because"]
    if "nothing" in case:
        assert found.allows_nothing is case["nothing"], case["because"]
    policy, endpoint = parse_policy(document(case)), expected(case).endpoint
    for name, finding in found.results.items():
        if finding.request and not (name == "full_access" and finding.answer is PolicyAnswer.NO):
            assert evaluate(policy, finding.request, gateway=endpoint.gateway).allowed


def test_an_example_names_a_region_that_exists() -> None:
    """Where the policy leaves the Region of a resource open."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*"}
    found = decided({"statements": {**statement, "Resource": "arn:aws:sqs:*:*:jobs"}})
    request = found.untrusted_resource.request
    assert request
    assert request.resource.split(":")[3] == "us-east-1"


def test_the_corpus_is_large_and_each_case_is_named_once() -> None:
    """Every case has a name of its own and a reason."""
    every = [case.values[0] for case in cases()]
    assert len(every) >= 120
    assert len({case["name"] for case in every}) == len(every)
    assert all(case["because"] for case in every)
