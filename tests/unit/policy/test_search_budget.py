"""The work on policies is bounded; statements, questions and policies share it fairly."""

import json
import time
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from posture.policy import (
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    Trust,
    decide_policies,
    decide_policy,
    decide_policy_text,
    parse_policy,
)
from posture.policy.decide import TOO_COMPLEX
from posture.policy.decided_policy import DecidedPolicy, is_unfinished
from posture.policy.needs.check import NeedStatus, check_needs_of_text

ENDPOINT = EndpointContext("111122223333", "", vpc_id="vpc-own", endpoint_id="vpce-own")
TRUST = Trust(frozenset({"222233334444"}), frozenset({"o-a1b2c3d4e5"}))
NO_CALLER = {"Effect": "Allow", "NotPrincipal": "*", "NotAction": "*", "NotResource": "*"}
STATEMENTS: tuple[dict[str, Any], ...] = (
    NO_CALLER,
    {  # allows many untrusted requests
        "Effect": "Allow",
        "NotPrincipal": {"AWS": ["111122223333", "444455556666"]},
        "Action": "*",
        "NotResource": "arn:aws:s3:::corp-data/*",
    },
    {  # allows none, which takes long to prove
        "Effect": "Allow",
        "Principal": "*",
        "NotAction": "s3:*",
        "Resource": "arn:aws:s3:::corp-data/*",
    },
    {
        **NO_CALLER,
        "Condition": {
            "StringEquals": {"aws:PrincipalOrgID": ["o-zyxwvutsrq", "${aws:ResourceOrgID}"]}
        },
    },
)


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_a_complex_statement_does_not_hide_another(order: tuple[int, ...]) -> None:
    """A request that a statement allows is found, whatever the order of the statements."""
    stated = [STATEMENTS[at] for at in order]
    policy = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": stated}))

    assert (
        decide_policy(policy, PolicyCheck(ENDPOINT, TRUST)).untrusted_resource.answer
        is PolicyAnswer.YES
    )


ALLOW: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}
DENY = {**ALLOW, "Effect": "Deny"}
BUCKET = "arn:aws:s3:::"
SPACES = " " * 19_000
LOTS = range(200)
CHECK = PolicyCheck(ENDPOINT, TRUST)


def write(*statements: dict[str, Any]) -> str:
    """Return the text of a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow_if(operator: str, key: str, values: list[str], **others: Any) -> dict[str, Any]:
    """Return a statement with one condition."""
    return {**ALLOW, **others, "Condition": {operator: {key: values}}}


HOSTILE = {
    "infixes of accounts": write(
        allow_if("StringLike", "aws:PrincipalAccount", [f"*{n % 10}*{n}*" for n in range(1500)])
    ),
    "infixes of resources": write(
        {**ALLOW, "Resource": [f"{BUCKET}*{n % 7}*{n}*x" for n in range(550)]},
        *({**DENY, "Resource": f"{BUCKET}*{n}*{n + 1}*"} for n in range(40)),
    ),
    "repetition": write(
        {**ALLOW, "Resource": f"{BUCKET}aaa/{'a' * 9000}"},
        *({**DENY, "Resource": f"{BUCKET}aaa/*{'a' * 1000}b"} for _ in range(8)),
    ),
    "a variable of spaces": write({**ALLOW, "Resource": f"{BUCKET}${{a{SPACES}'}}"}),
    "a variable without end": write({**ALLOW, "Resource": f"{BUCKET}${{a{SPACES}"}),
    "many numbers": write(
        allow_if("NumericEquals", "s3:max-keys", [str(3 * n) for n in range(1100)]),
        allow_if("NumericNotEquals", "s3:max-keys", [str(n) for n in range(1000)], Effect="Deny"),
    ),
    "a long number": write(allow_if("NumericEquals", "s3:max-keys", ["9" * 19_000])),
    "a great number": write(allow_if("NumericEquals", "s3:max-keys", ["1e999", "-1.5e999"])),
    "a late date": write(allow_if("DateGreaterThan", "aws:CurrentTime", ["9" * 20])),
    "resources of many accounts": write(
        {
            **ALLOW,
            "Action": "*",
            "Resource": [f"arn:aws:sqs:*:{7 * 10**11 + n}:*{n}*" for n in LOTS],
        },
        {**DENY, "Action": "*", "Resource": [f"arn:aws:sqs:*:*:*{n % 7}*{n}*" for n in LOTS]},
    ),
    "a variable in many resources": write(
        {**ALLOW, "Resource": [f"{BUCKET}*${{aws:PrincipalTag/t{n}}}*" for n in LOTS]},
        {**DENY, "Resource": [f"{BUCKET}${{aws:username}}*{n}*${{aws:userid}}" for n in LOTS]},
    ),
}


SQS = PolicyCheck(replace(ENDPOINT, service="sqs"), TRUST)


@pytest.mark.parametrize("check", [CHECK, SQS], ids=["any", "sqs"])
@pytest.mark.parametrize("text", list(HOSTILE.values()), ids=list(HOSTILE))
def test_every_policy_is_decided_with_bounded_work(text: str, check: PolicyCheck) -> None:
    """It takes at most two seconds of processor, and the same units each time."""
    start = time.process_time()
    decided = decide_policy_text(text, check)

    assert time.process_time() - start < 2
    assert decide_policy(parse_policy(text), check).results == decided.decision.results


def test_a_policy_over_its_budget_is_unknown_and_names_what_costs() -> None:
    """The statement and the element are named."""
    found = decide_policy_text(HOSTILE["infixes of accounts"], CHECK).decision.untrusted_principal

    assert found.answer is PolicyAnswer.UNKNOWN
    assert found.reason.startswith(TOO_COMPLEX)
    assert "StringLike aws:PrincipalAccount of statement 1" in found.reason


NAMED = {
    "Deny statements that pairs of accounts meet": (
        [{**ALLOW, "Action": "sqs:*"}],
        [{**DENY, "Resource": f"arn:aws:sqs:*:{7 * 10**11 + n}:*q{n}*"} for n in range(100)],
        "Resource of 100 Deny statements, such as statement 12,",
    ),
    "a condition of each Deny": (
        [{**ALLOW, "Action": ["s3:Get*", "s3:*Obj*"]}],
        [
            allow_if("StringNotLike", "aws:PrincipalArn", [f"*{n}*{n % 7}*"], Effect="Deny")
            for n in range(100)
        ],
        "StringNotLike aws:PrincipalArn of 100 Deny statements, such as statement 12,",
    ),
    "organizations of many statements": (
        [
            {
                **ALLOW,
                "Condition": {
                    "StringEquals": {
                        "aws:PrincipalOrgID": f"o-a{n:09}",
                        "aws:ResourceOrgID": f"o-b{n:09}",
                    }
                },
            }
            for n in range(100)
        ],
        [],
        "StringEquals aws:PrincipalOrgID of 100 Allow statements, such as statement 1,",
    ),
}


@pytest.mark.parametrize(("allows", "denies", "name"), list(NAMED.values()), ids=list(NAMED))
def test_the_elements_that_are_named_are_those_that_cost(
    allows: list[dict[str, Any]], denies: list[dict[str, Any]], name: str
) -> None:
    """They are not those of the statement that is searched, and many alike are named together."""
    found = decide_policy_text(write(*allows, *denies), CHECK, 60_000).decision.results.values()

    reasons = {each.reason for each in found if each.reason.startswith(TOO_COMPLEX)}
    assert f"{TOO_COMPLEX}; {name} takes most of it" in reasons


def test_needs_over_their_budget_are_unknown_and_name_what_costs() -> None:
    """The work on the needs of a policy is bounded, too."""
    features = ("amazon-linux", "ssm")
    check = replace(
        CHECK, endpoint=replace(ENDPOINT, service="com.amazonaws.eu-west-1.s3"), features=features
    )
    accounts = [f"{7 * 10**11 + n}" for n in range(1200)]
    text = write(allow_if("StringEquals", "s3:ResourceAccount", accounts))

    start = time.process_time()
    (status, reason), *_ = ((each.status, each.reason) for each in check_needs_of_text(text, check))

    assert time.process_time() - start < 1
    assert status is NeedStatus.UNKNOWN
    assert reason.endswith("StringEquals s3:ResourceAccount of statement 1 takes most of it")


READS = ["Subnets", "Vpcs", "RouteTables", "NetworkAcls", "VpcEndpoints", "SecurityGroups"]
ROLES = {"aws:PrincipalArn": [f"arn:aws:iam::111122223333:role/r{number}" for number in range(2)]}
UNHELD = {"Condition": {"StringEquals": {"aws:ResourceOrgID": "o-a1b2c3d4e5"}, "ArnEquals": ROLES}}
QUICK = {
    "actions of a service that has many": (
        "ec2",
        write(
            {**ALLOW, "Action": [f"ec2:Describe{each}" for each in READS], **UNHELD},
            {**ALLOW, "Action": "ec2:GetManagedPrefixListEntries", **UNHELD},
            {**ALLOW, "Action": [f"ec2:Get{each}*" for each in READS], **UNHELD},
        ),
    ),
    "a Deny for each of many buckets": (
        "s3",
        write(
            {**ALLOW, "Resource": f"{BUCKET}corp-*"},
            *({**DENY, "Resource": f"{BUCKET}corp-{number}*"} for number in range(160)),
        ),
    ),
}


@pytest.mark.parametrize(("service", "text"), list(QUICK.values()), ids=list(QUICK))
def test_what_cases_have_in_common_is_paid_once(service: str, text: str) -> None:
    """Long lists of actions and of denials are decided with a small share of the work."""
    check = PolicyCheck(replace(ENDPOINT, service=service), TRUST)

    assert not is_unfinished(decide_policy_text(text, check, 125_000))


def test_which_pattern_of_a_list_matches_does_not_matter() -> None:
    """Eight patterns of one condition are one question about an account, not 256."""
    patterns = [f"*{n}*{n * 37 % 100}*" for n in range(8)]
    text = write(allow_if("StringLike", "aws:PrincipalAccount", patterns))

    assert decide_policy_text(text, CHECK).decision.untrusted_principal.answer is PolicyAnswer.YES


def test_costly_policies_leave_the_others_their_share() -> None:
    """Of many policies with one budget, those that need little are decided."""
    hostile = {
        f"hostile {n}": (HOSTILE["infixes of accounts"].replace("1499", f"99{n}"), CHECK)
        for n in range(10)
    }
    good = {f"good {n}": (write({**ALLOW, "Resource": f"{BUCKET}b{n}*"}), CHECK) for n in range(10)}

    found = decide_policies({**hostile, **good}, 3_000_000)

    assert all(map(is_unfinished, (found[name] for name in hostile)))
    assert not any(map(is_unfinished, (found[name] for name in good)))
    spent = sum(each.units for each in found.values() if isinstance(each, DecidedPolicy))
    assert spent < 4_000_000


def test_policies_alike_are_decided_once() -> None:
    """A hundred endpoints with one costly policy cost as much as one."""
    alike = dict.fromkeys(range(100), (HOSTILE["infixes of accounts"], CHECK))
    start = time.process_time()
    decide_policies({f"vpce-{n}": each for n, each in alike.items()}, 8_000_000)

    assert time.process_time() - start < 3
