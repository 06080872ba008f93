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

from posture.policy import (
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    Trust,
    decide_policy,
    decide_policy_text,
    parse_policy,
)
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
        stated = [{k: v for k, v in each.items() if v is not None} for each in build(size)]
        longer = json.dumps({"Version": "2012-10-17", "Statement": stated})
        if len(longer) > MAX_POLICY_CHARACTERS:
            return text
        size, text = size + max(1, size // 20), longer


def list_accounts(size: int) -> list[str]:
    """Return this many account ids."""
    return [f"{700_000_000_000 + number}" for number in range(size)]


def allow_if(operator: str, key: str, values: list[str], effect: Statement = ALLOW) -> Statement:
    """Return a statement with one condition."""
    return {**effect, "Condition": {operator: {key: values}}}


def list_infixes(size: int, places: int = 2, letters: str = "0123456789") -> list[str]:
    """Return this many patterns such as `*1*37*`, all of them different."""
    found = []
    for number in range(size):
        digits = "".join(letters[int(digit)] for digit in str(number * 7919))
        parts = [digits[at::places] or letters[number % 10] for at in range(places)]
        found.append(f"*{'*'.join(parts)}*")
    return list(dict.fromkeys(found))


def build_role_list(size: int) -> list[Statement]:
    """Allow a role in each of many accounts."""
    roles = [f"arn:aws:iam::{account}:role/R{account[9:]}" for account in list_accounts(size)]
    return [{**ALLOW, "Principal": {"AWS": roles}}]


def build_two_sides(size: int) -> list[Statement]:
    """Allow roles of many accounts to read queues of many others, and deny some pairs of them."""
    accounts = list_accounts(2 * size)
    roles = [f"arn:aws:iam::{each}:role/R{each[9:]}" for each in accounts[:size]]
    queues = [f"arn:aws:sqs:*:{each}:q{each[9:]}*" for each in accounts[size:]]
    tagged = {"Condition": {"StringLike": {"aws:PrincipalTag/team": "*a*"}}}
    denied = {**DENY, "Resource": queues[: size // 2], **tagged}
    return [{**ALLOW, "Principal": {"AWS": roles}, "Resource": queues}, denied]


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


def build_tag_puzzle(size: int) -> list[Statement]:
    """Deny combinations of three tags, so that a request is the solution of a puzzle."""
    tags = [f"aws:RequestTag/t{number}" for number in range(max(4, size // 5))]
    required = {"StringLike": {key: ["0", "1"] for key in tags}}
    denials = []
    for number in range(size):
        chosen = {tags[(number * step + step) % len(tags)]: step for step in (3, 7, 11)}
        values = {key: str((number >> at) % 2) for at, key in enumerate(chosen)}
        denials.append({**DENY, "Condition": {"StringEquals": values}})
    return [{**ALLOW, "Condition": required}, *denials]


def build_denials_of_all_but(size: int) -> list[Statement]:
    """Deny all but some resources, in many statements that leave little in common."""
    kept = [[f"{BUCKET}*{number}*", f"{BUCKET}*{number + 1}?b*"] for number in range(size)]
    return [S3, *({**DENY, "NotResource": each, "Resource": None} for each in kept)]


def build_exclusions(size: int) -> list[Statement]:
    """Use only the elements that exclude: NotPrincipal, NotAction and NotResource."""
    start: Statement = {"Effect": "Deny", "NotPrincipal": {"AWS": OWN}}
    denials = [
        {**start, "NotAction": [f"s3:*{n}*", f"sqs:*{n}*"], "NotResource": f"arn:aws:*:*:*:*{n}*"}
        for n in range(size)
    ]
    return [ALLOW, *denials]


def build_variables(size: int) -> list[Statement]:
    """Name other policy variables in each of many statements."""
    paths = [
        f"{BUCKET}corp-*/${{aws:PrincipalTag/t{number % 9}}}/*{number}*" for number in range(size)
    ]
    return [{**S3, "Resource": each} for each in paths] + [{**DENY, "Resource": paths}]


def build_numbers(size: int) -> list[Statement]:
    """Compare a number with many."""
    numbers = [str(7 * number) for number in range(size)]
    return [
        allow_if("NumericEquals", "s3:max-keys", numbers),
        allow_if("NumericNotEquals", "s3:max-keys", numbers[::2], DENY),
        allow_if("NumericNotEquals", "s3:max-keys", numbers[1::2], DENY),
    ]


def build_networks(size: int) -> list[Statement]:
    """Compare an address with many networks."""
    networks = [f"10.{number // 250}.{number % 250}.0/25" for number in range(size)]
    denied = allow_if("NotIpAddress", "aws:VpcSourceIp", networks[::2], DENY)
    return [allow_if("IpAddress", "aws:VpcSourceIp", networks), denied]


def build_statements(size: int) -> list[Statement]:
    """Allow in many statements, and deny all of it in as many."""
    allowed = [{**S3, "Resource": f"{BUCKET}*{number}*x*/*"} for number in range(size)]
    denied = [{**DENY, "Resource": f"{BUCKET}*{number}*"} for number in range(size)]
    return [*allowed, *denied]


def build_account_statements(size: int) -> list[Statement]:
    """Compare accounts with other wildcards in each of many statements."""
    keys = ("aws:PrincipalAccount", "aws:ResourceAccount")
    return [
        allow_if("StringLike", keys[number % 2], [each])
        for number, each in enumerate(list_infixes(size))
    ]


def build_alternations(size: int) -> list[Statement]:
    """Require and deny long lists of texts of one length."""
    allowed = [f"?{number:03}*?{number % 7}?" for number in range(size)]
    denied = [f"*{number:03}?*{number % 5}?" for number in range(size)]
    key = "aws:PrincipalTag/team"
    return [allow_if("StringLike", key, allowed), allow_if("StringLike", key, denied, DENY)]


def build_repetition(size: int) -> list[Statement]:
    """Repeat one letter, so that matching goes back as often as possible."""
    letters = "a" * size
    allowed = {**S3, "Resource": f"{BUCKET}{letters}*{letters}"}
    return [allowed, {**DENY, "Resource": f"{BUCKET}*{letters}b*{letters}*c"}]


HARD: dict[str, Callable[[int], list[Statement]]] = {
    "a list of accounts": lambda size: [
        allow_if("StringEquals", "aws:PrincipalAccount", list_accounts(size))
    ],
    "a role in each of many accounts": build_role_list,
    "callers and resources of many accounts": build_two_sides,
    "all but a list of ARNs denied": build_roles_denial,
    "many buckets": lambda size: [{**S3, "Resource": [f"{BUCKET}corp-{n}-*" for n in range(size)]}],
    "a Deny for each bucket": lambda size: [
        {**S3, "Resource": f"{BUCKET}corp-*"},
        *({**DENY, "Resource": f"{BUCKET}corp-{number}*"} for number in range(size)),
    ],
    "interlocking wildcards": build_interlocking,
    "a Deny with two conditions each": build_choices,
    "infixes of account IDs": lambda size: [
        allow_if("StringLike", "aws:PrincipalAccount", list_infixes(size))
    ],
    "suffixes and prefixes of account IDs": lambda size: [
        allow_if(
            "StringLike", "s3:ResourceAccount", [f"*{n * 7919 % 10**6:06}" for n in range(size)]
        ),
        allow_if(
            "StringLike",
            "s3:ResourceAccount",
            [f"{n * 6271 % 10**6:06}*" for n in range(size)],
            DENY,
        ),
    ],
    "account patterns in many statements": build_account_statements,
    "infixes of organization IDs": lambda size: [
        allow_if(
            "StringLike", "aws:PrincipalOrgID", [f"o-{each}" for each in list_infixes(size, 3)]
        )
    ],
    "infixes of buckets": lambda size: [
        {**S3, "Resource": [f"{BUCKET}{each}" for each in list_infixes(size, 3, "abcdefghij")]},
        {**DENY, "Resource": [f"{BUCKET}{each}" for each in list_infixes(size, 2, "abcdefghij")]},
    ],
    "a puzzle of tags": build_tag_puzzle,
    "denials with NotResource": build_denials_of_all_but,
    "NotPrincipal, NotAction, NotResource": build_exclusions,
    "policy variables": build_variables,
    "numbers": build_numbers,
    "networks": build_networks,
    "many statements": build_statements,
    "many conditions": lambda size: [
        {
            **ALLOW,
            "Condition": {"StringLike": {f"aws:RequestTag/{n}": [f"*{n}*"] for n in range(size)}},
        },
        {
            **DENY,
            "Condition": {"StringLike": {f"aws:RequestTag/{n}": ["*a*"] for n in range(size)}},
        },
    ],
    "long alternations": build_alternations,
    "one letter repeated": build_repetition,
    "unknown VPCs": lambda size: [
        allow_if(
            "StringEquals", "aws:SourceVpc", [f"vpc-{n:08x}"], {**S3, "Resource": f"{BUCKET}{n}*"}
        )
        for n in range(size)
    ],
}


def measure(jobs: Iterable[tuple[str, PolicyCheck]]) -> list[float]:
    """Decide each policy; return the milliseconds of processor time of each."""
    found = []
    for text, check in jobs:
        start = time.process_time()
        decide_policy(parse_policy(text), check)
        found.append((time.process_time() - start) * 1000)
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
    print("hard: characters, family, processor seconds, answers, units a microsecond")
    for name, build in HARD.items():
        text = fill(build)
        endpoint = build_check(vpc=None if "unknown" in name else "vpc-1")
        start = time.process_time()
        decided = decide_policy_text(text, endpoint)
        seconds = time.process_time() - start
        results = decided.decision.results.values()
        answers = ", ".join(each.answer.value for each in results)
        rate = decided.units / seconds / 1e6
        print(f"{len(text):6} {name:40} {seconds:6.2f} s ({answers}) {rate:.1f}")
        reasons = {each.reason for each in results if each.answer is PolicyAnswer.UNKNOWN}
        print("".join(f"{'':7}{each}\n" for each in reasons), end="")
    ours, bare = measure_import("posture.policy"), measure_import("boto3")
    print(f"import: {ours * 1000:.0f} ms, {ours / bare:.2f} x boto3")


if __name__ == "__main__":
    main()
