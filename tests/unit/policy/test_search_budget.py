"""Statements share the search budget, so that their order hides no answer."""

import json
from itertools import permutations
from typing import Any

import pytest

from posture.policy import (
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    Trust,
    decide_policy,
    parse_policy,
)

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
