"""How long endpoint policies take to decide: the typical ones, and those made to be hard.

Run it with `.venv/bin/python benchmarks/policies.py`. The typical ones are this project's corpus;
each is decided once with nothing remembered, and again as in a sweep, where the automata of common
shapes are. The hard ones fill the 20,480 characters that AWS allows.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from posture.policy import EndpointContext, PolicyCheck, Trust, decide_policy, parse_policy
from posture.policy.document import MAX_POLICY_CHARACTERS

CORPUS = Path(__file__).parents[1] / "tests/unit/policy/corpus"
OWN = "111122223333"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ALLOW: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
DENY = {**ALLOW, "Effect": "Deny"}
CASE = PolicyCheck(EndpointContext(OWN, vpc_id="vpc-1", endpoint_id="vpce-1"), Trust(), NOW)


def typical() -> list[tuple[str, PolicyCheck]]:
    """Give the corpus."""
    found = []
    for file in sorted(CORPUS.glob("*.yaml")):
        for case in yaml.safe_load(file.read_text())["cases"]:
            stated = case["statements"]
            statements = stated if isinstance(stated, list) else [stated]
            kept = [{k: v for k, v in each.items() if v is not None} for each in statements]
            text = json.dumps({"Version": "2012-10-17", "Statement": kept})
            endpoint, trust = case.get("site", {}), case.get("trust", {})
            expected = PolicyCheck(
                EndpointContext(
                    OWN,
                    endpoint.get("service", ""),
                    vpc_id=endpoint.get("vpc"),
                    endpoint_id="vpce-1",
                ),
                Trust(organizations=frozenset(trust.get("organizations", ()))),
                NOW,
            )
            found.append((text, expected))
    return found


def filled(statements: Callable[[int], list[dict[str, Any]]]) -> str:
    """Give the longest policy of a kind that AWS takes."""
    size, text = 1, ""
    while True:
        longer = json.dumps({"Version": "2012-10-17", "Statement": statements(size)})
        if len(longer) > MAX_POLICY_CHARACTERS:
            return text
        size, text = size + max(1, size // 20), longer


def accounts(size: int) -> list[str]:
    """Give so many accounts."""
    return [f"{700_000_000_000 + number}" for number in range(size)]


HARD: dict[str, Callable[[int], list[dict[str, Any]]]] = {
    "a list of accounts": lambda size: [
        {**ALLOW, "Condition": {"StringEquals": {"aws:PrincipalAccount": accounts(size)}}}
    ],
    "a role in each of many accounts": lambda size: [
        {**ALLOW, "Principal": {"AWS": [f"arn:aws:iam::{a}:role/R{a[9:]}" for a in accounts(size)]}}
    ],
    "all but a list of ARNs denied": lambda size: [
        ALLOW,
        {
            **DENY,
            "Condition": {
                "ArnNotLike": {
                    "aws:PrincipalArn": [f"arn:aws:iam::{OWN}:role/r{n}*" for n in range(size)]
                }
            },
        },
    ],
    "many buckets": lambda size: [
        {**ALLOW, "Action": "s3:*", "Resource": [f"arn:aws:s3:::corp-{n}-*" for n in range(size)]}
    ],
    "a deny for each bucket": lambda size: [
        {**ALLOW, "Action": "s3:*", "Resource": "arn:aws:s3:::corp-*"},
        *({**DENY, "Resource": f"arn:aws:s3:::corp-{n}*"} for n in range(size)),
    ],
    "interlocking wildcards": lambda size: [
        {**ALLOW, "Action": "s3:*", "Resource": f"arn:aws:s3:::{'*'.join('abcdefgh')}"},
        {**DENY, "Resource": [f"arn:aws:s3:::*{'*'.join(f'{n:b}')}*" for n in range(size)]},
    ],
    "a deny with a choice each": lambda size: [
        ALLOW,
        *(
            {
                **DENY,
                "Resource": f"arn:aws:s3:::*{n}*",
                "Condition": {
                    "StringLike": {"aws:PrincipalTag/a": f"*{n}*", "aws:RequestTag/b": f"{n}*"}
                },
            }
            for n in range(size)
        ),
    ],
}


def timed(jobs: Iterable[tuple[str, PolicyCheck]]) -> list[float]:
    """Decide each, and give the milliseconds it took."""
    found = []
    for text, expected in jobs:
        start = time.perf_counter()
        decide_policy(parse_policy(text), expected)
        found.append((time.perf_counter() - start) * 1000)
    return found


def main() -> None:
    """Time both kinds, and the import."""
    jobs = typical()
    for name in ("first time", "as in a sweep"):
        took = sorted(timed(jobs))
        ninth = took[len(took) * 9 // 10]
        print(
            f"typical, {name}: median {statistics.median(took):.2f} ms, ninth decile {ninth:.1f} "
            f"ms, worst {took[-1]:.0f} ms, {1000 * len(took) / sum(took):.0f} verdicts a second"
        )
    for name, statements in HARD.items():
        text = filled(statements)
        (took_one,) = timed([(text, CASE)])
        decision = decide_policy(parse_policy(text), CASE)
        told = ", ".join(each.answer.value for each in decision.results.values())
        print(f"hard, {len(text)} characters, {name}: {took_one:.0f} ms ({told})")
    ours, bare = imported("posture.policy"), imported("boto3")
    print(f"import: {ours * 1000:.0f} ms, {ours / bare:.2f} x boto3")


def imported(module: str) -> float:
    """Import a module in fresh interpreters; the median in seconds."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    return statistics.median(float(subprocess.check_output(command)) for _ in range(5))  # noqa: S603


if __name__ == "__main__":
    main()
