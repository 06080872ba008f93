"""The evaluator, compared with an independent one over thousands of requests.

It is the npm package `@cloud-copilot/iam-simulate`, of exactly the version in `package.json`, run
in a process of its own. docs/policies.md explains where the two differ.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from policy_strategies import CHECKS, DOCUMENTS, list_contradictions, requests, text_of
from posture.policy import Request, evaluate, parse_policy
from posture.policy.request import CallerKind

HERE = Path(__file__).parent
# How many requests are compared; REQUESTS=100000 takes some minutes.
TOTAL = int(os.environ.get("REQUESTS", "3600"))
REQUESTS = 6 if TOTAL < 10_000 else 30  # of each document
PART = 6000  # requests that are compared at a time, to bound the memory
INSTALL = "npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error"

SPANNING = re.compile(r"^(?:[^:]*:){2,3}\*:[^:]*$")  # `*` for two fields
EARLY_VARIABLE = re.compile(r"(?:[^:$]*:){0,4}\$\{")

Pair = tuple[list[dict[str, Any]], Request]


@pytest.fixture(scope="module")
def node() -> str:
    """Return the path of node with the packages installed; skip if that is not possible."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if not found or not npm:
        pytest.skip("node and npm are not installed")
    try:
        subprocess.run(  # noqa: S603 - npm itself, with fixed arguments
            [npm, *INSTALL.split()[1:]], cwd=HERE, check=True, capture_output=True, timeout=180
        )
    except subprocess.SubprocessError as error:
        pytest.skip(f"npm cannot install the packages here: {error}")
    return found


@cache
def drawn() -> list[Pair]:
    """Return the same policies and requests in every run."""
    pairs: list[Pair] = []

    @settings(
        max_examples=TOTAL // REQUESTS,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
    )
    @given(DOCUMENTS, st.lists(requests(), min_size=REQUESTS, max_size=REQUESTS))
    def collect(stated: list[dict[str, Any]], asked: list[Request]) -> None:
        pairs.extend((stated, request) for request in asked)

    collect()
    return pairs


def plain(stated: list[dict[str, Any]], request: Request) -> dict[str, Any]:
    """Return a pair in the form of iam-simulate: a role session is its principal."""
    principal: Any = request.principal
    if request.session:
        role = request.principal.rpartition("/")[2]
        account = request.account
        principal = f"arn:aws:sts::{account}:assumed-role/{role}/{request.session}"
    if request.kind is CallerKind.ANONYMOUS:
        principal = {"type": "Anonymous"}
    return {
        "policy": json.loads(text_of(stated)),
        "request": {
            "principal": principal,
            "action": request.action,
            "resource": request.resource,
            "owner": request.owner,
            "context": {key: values[0] for key, values in request.context.items()},
        },
    }


def conditions_of(stated: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield each operator, key and value of a policy."""
    for statement in stated:
        for operator, tests in statement.get("Condition", {}).items():
            for key, values in tests.items():
                for value in values if isinstance(values, list) else [values]:
                    yield operator, key, value


def resources_of(stated: list[dict[str, Any]]) -> Iterator[str]:
    """Yield each resource of a policy."""
    for statement in stated:
        named: Any = statement.get("Resource", statement.get("NotResource"))
        yield from named if isinstance(named, list) else [named]


def explained(stated: list[dict[str, Any]], request: Request) -> bool:
    """Return whether the known differences explain a pair.

    iam-simulate fails ArnNotLike for a value that is not an ARN, and a negated operator for a
    variable without a value. Here a value that does not match meets a negated operator. In a
    resource it lets no `*` span colons, and replaces variables before the fifth colon.
    """
    if any(SPANNING.search(each) or EARLY_VARIABLE.match(each) for each in resources_of(stated)):
        return True
    return any(
        (operator == "ArnNotLike" and key != "aws:PrincipalArn")
        or ("Not" in operator and _refers_to_nothing(value, request))
        for operator, key, value in conditions_of(stated)
    )


def _refers_to_nothing(value: str, request: Request) -> bool:
    found = re.search(r"\$\{(.*?)\}", value)
    return found is not None and found[1].lower() not in request.context


def test_both_evaluators_agree(node: str) -> None:
    """All differences are known ones."""
    pairs = drawn()
    assert len(pairs) >= TOTAL * 5 // 6
    theirs = [each for part in batched(pairs) for each in simulate(node, part)]
    differing = [
        (stated, request, their)
        for (stated, request), their in zip(pairs, theirs, strict=True)
        if evaluate(parse_policy(text_of(stated)), request).allowed != their
        and not explained(stated, request)
    ]
    assert sum(theirs) > len(theirs) / 20  # not everything is denied
    assert not differing, f"{len(differing)}, as {differing[:3]}"


def test_no_request_contradicts_an_answer() -> None:
    """What the requests are allowed to do, by the evaluator, agrees with every answer."""
    documents: dict[str, list[Request]] = {}
    for stated, request in drawn():
        documents.setdefault(text_of(stated), []).append(request)
    found = [
        each
        for number, (text, attempts) in enumerate(documents.items())
        for each in list_contradictions(text, CHECKS[number % len(CHECKS)], attempts)
    ]
    assert not found, f"{len(found)}, as {found[:3]}"


def batched(pairs: list[Pair]) -> Iterator[list[Pair]]:
    """Yield parts of the pairs."""
    for start in range(0, len(pairs), PART):
        yield pairs[start : start + PART]


def simulate(node: str, pairs: list[Pair]) -> list[bool]:
    """Return what the other evaluator allows."""
    ran = subprocess.run(  # noqa: S603 - node itself, with our own script
        [node, str(HERE / "simulate.cjs")],
        input=json.dumps([plain(*pair) for pair in pairs]),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    theirs: list[bool] = json.loads(ran.stdout)
    return theirs
