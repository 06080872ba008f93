"""Measure how long endpoint policies take to decide: typical ones, and ones made to be hard.

Run: `.venv/bin/python benchmarks/policies.py`. The typical ones are this project's test corpus;
each is decided once in a new process, and again as in a sweep, which reuses the automata of common
forms. The hard ones fill the 20,480 characters that AWS allows.
"""

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

Statement = dict[str, Any]

ALLOW: Statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
DENY: Statement = {**ALLOW, "Effect": "Deny"}
S3: Statement = {**ALLOW, "Action": "s3:*"}
BUCKET = "arn:aws:s3:::"


def build_check(service: str = "", vpc: str | None = "vpc-1", *organizations: str) -> PolicyCheck:
    """Return the context of an endpoint, and the organizations that it may trust."""
    endpoint = EndpointContext(OWN, service, vpc_id=vpc, endpoint_id="vpce-1")
    return PolicyCheck(endpoint, Trust(organizations=frozenset(organizations)), NOW)


def load_corpus() -> list[tuple[str, PolicyCheck]]:
    """Return the policies of the corpus, each with its context."""
    found = []
    for file in sorted(CORPUS.glob("*.yaml")):
        for case in yaml.safe_load(file.read_text())["cases"]:
            stated = case["statements"]
            statements = stated if isinstance(stated, list) else [stated]
            kept = [{k: v for k, v in each.items() if v is not None} for each in statements]
            endpoint, trust = case.get("endpoint", {}), case.get("trust", {})
            check = build_check(
                endpoint.get("service", ""), endpoint.get("vpc"), *trust.get("organizations", ())
            )
            found.append((json.dumps({"Version": "2012-10-17", "Statement": kept}), check))
    return found


def fill(build: Callable[[int], list[Statement]]) -> str:
    """Return the longest policy of a kind that AWS accepts."""
    size, text = 1, ""
    while True:
        longer = json.dumps({"Version": "2012-10-17", "Statement": build(size)})
        if len(longer) > MAX_POLICY_CHARACTERS:
            return text
        size, text = size + max(1, size // 20), longer


def list_accounts(size: int) -> list[str]:
    """Return this many account ids."""
    return [f"{700_000_000_000 + number}" for number in range(size)]


def build_role_list(size: int) -> list[Statement]:
    """Allow a role in each of many accounts."""
    roles = [f"arn:aws:iam::{account}:role/R{account[9:]}" for account in list_accounts(size)]
    return [{**ALLOW, "Principal": {"AWS": roles}}]


def build_roles_denial(size: int) -> list[Statement]:
    """Deny all but a list of role ARNs."""
    roles = [f"arn:aws:iam::{OWN}:role/r{number}*" for number in range(size)]
    return [ALLOW, {**DENY, "Condition": {"ArnNotLike": {"aws:PrincipalArn": roles}}}]


def build_interlocking(size: int) -> list[Statement]:
    """Allow and deny with wildcards that overlap in many ways."""
    denied = [f"{BUCKET}*{'*'.join(f'{number:b}')}*" for number in range(size)]
    return [{**S3, "Resource": f"{BUCKET}{'*'.join('abcdefgh')}"}, {**DENY, "Resource": denied}]


def build_choices(size: int) -> list[Statement]:
    """Deny in many statements, each of which has two conditions."""
    denials = []
    for number in range(size):
        tags = {"aws:PrincipalTag/a": f"*{number}*", "aws:RequestTag/b": f"{number}*"}
        resource = f"{BUCKET}*{number}*"
        denials.append({**DENY, "Resource": resource, "Condition": {"StringLike": tags}})
    return [ALLOW, *denials]


HARD: dict[str, Callable[[int], list[Statement]]] = {
    "a list of accounts": lambda size: [
        {**ALLOW, "Condition": {"StringEquals": {"aws:PrincipalAccount": list_accounts(size)}}}
    ],
    "a role in each of many accounts": build_role_list,
    "all but a list of ARNs denied": build_roles_denial,
    "many buckets": lambda size: [{**S3, "Resource": [f"{BUCKET}corp-{n}-*" for n in range(size)]}],
    "a Deny for each bucket": lambda size: [
        {**S3, "Resource": f"{BUCKET}corp-*"},
        *({**DENY, "Resource": f"{BUCKET}corp-{number}*"} for number in range(size)),
    ],
    "interlocking wildcards": build_interlocking,
    "a Deny with two conditions each": build_choices,
}


def measure(jobs: Iterable[tuple[str, PolicyCheck]]) -> list[float]:
    """Decide each policy; return the milliseconds of each."""
    found = []
    for text, check in jobs:
        start = time.perf_counter()
        decide_policy(parse_policy(text), check)
        found.append((time.perf_counter() - start) * 1000)
    return found


def measure_import(module: str) -> float:
    """Return the median seconds of importing a module in new interpreters."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    return statistics.median(float(subprocess.check_output(command)) for _ in range(5))  # noqa: S603


def main() -> None:
    """Measure both kinds, and the import."""
    jobs = load_corpus()
    for name in ("first time", "as in a sweep"):
        times = sorted(measure(jobs))
        ninth = times[len(times) * 9 // 10]
        print(
            f"typical, {name}: median {statistics.median(times):.2f} ms, ninth decile {ninth:.1f} "
            f"ms, worst {times[-1]:.0f} ms, {1000 * len(times) / sum(times):.0f} a second"
        )
    check = build_check()
    for name, build in HARD.items():
        text = fill(build)
        (milliseconds,) = measure([(text, check)])
        results = decide_policy(parse_policy(text), check).results
        answers = ", ".join(each.answer.value for each in results.values())
        print(f"hard, {len(text)} characters, {name}: {milliseconds:.0f} ms ({answers})")
    ours, bare = measure_import("posture.policy"), measure_import("boto3")
    print(f"import: {ours * 1000:.0f} ms, {ours / bare:.2f} x boto3")


if __name__ == "__main__":
    main()
