"""Generated policies: closed, sufficient, no wider than needed, or a conflict that is named."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posture.policy import (
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    Trust,
    decide_policy,
    parse_policy,
)
from posture.policy.document import MAX_POLICY_CHARACTERS
from posture.policy.features.table import Use, read_features
from posture.policy.generate import GeneratedPolicy, PolicyConflictError, generate_policy
from posture.policy.lints import lint_policy
from posture.policy.needs import NeedStatus, check_needs, expand_features, list_needs

OWN = "111122223333"
ORGANIZATION = "o-a1b2c3d4e5"
IN_ORGANIZATION = Trust(frozenset(), frozenset({ORGANIZATION}), own_organization=ORGANIZATION)
ACCOUNT_ONLY = Trust()
BOTH = Trust(frozenset({"222233334444"}), frozenset({ORGANIZATION}))
GATEWAYS = frozenset({"s3", "dynamodb"})


def users_by_endpoint() -> dict[str, set[str]]:
    """Return for each endpoint service the features that need it."""
    found: dict[str, set[str]] = {}
    for name in read_features():
        for included in expand_features((name,)):
            for request in read_features()[included].requests:
                if request.use is not Use.RARELY and request.passes is not False:
                    found.setdefault(request.endpoint, set()).add(name)
    return found


USERS = users_by_endpoint()


def build_check(
    service: str,
    *features: str,
    trust: Trust = IN_ORGANIZATION,
    region: str = "eu-west-1",
    account: str = OWN,
    **settings: Any,
) -> PolicyCheck:
    """Build what a policy for an endpoint is generated for."""
    name = f"com.amazonaws.{region}.{service}"
    context = EndpointContext(account, name, gateway=service in GATEWAYS)
    return PolicyCheck(context, trust, features=features, **settings)


def assert_proven(found: GeneratedPolicy, check: PolicyCheck) -> None:
    """Decide the text again, apart from the generator."""
    policy = parse_policy(found.text)
    assert len(found.text) <= MAX_POLICY_CHARACTERS
    decision = decide_policy(policy, check)
    assert {each.answer for each in decision.results.values()} == {PolicyAnswer.NO}
    assert not decision.allows_nothing or check.features
    needs = list_needs(check.features, check.endpoint)
    for result in check_needs(policy, needs, check):
        known = not result.need.missing
        assert result.status is (NeedStatus.PASSES if known else NeedStatus.UNKNOWN), result
    assert not lint_policy(policy, check.endpoint)
    sids = [each.statement["Sid"] for each in found.statements]
    assert sids == [each.sid for each in policy.statements]
    assert len(set(sids)) == len(sids)
    assert all(each.reason for each in found.statements)


@pytest.mark.parametrize(
    ("service", "feature"), [(each, one) for each in sorted(USERS) for one in sorted(USERS[each])]
)
def test_every_need_of_the_table_has_a_policy(service: str, feature: str) -> None:
    """Closed, and sufficient for the feature and all that it includes."""
    features = expand_features((feature,))
    for trust in (ACCOUNT_ONLY, BOTH):
        check = build_check(service, *features, trust=trust)
        assert_proven(generate_policy(check), check)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("service", sorted(USERS))
def test_many_needs_of_an_endpoint_together_have_a_policy(service: str, start: int) -> None:
    """Half of all features at once, in several partitions."""
    features = expand_features(tuple(sorted(USERS[service])[start::2]))
    for region in ("us-gov-west-1", "cn-north-1"):
        check = build_check(service, *features, region=region)
        assert_proven(generate_policy(check), check)


@pytest.mark.parametrize("service", sorted(USERS))
def test_what_is_needed_is_proven_without_other_requests(service: str) -> None:
    """The policy with nothing but the needs is closed and sufficient as well."""
    features = expand_features(tuple(sorted(USERS[service])[::2]))
    check = build_check(service, *features, region="us-east-1")
    assert_proven(generate_policy(check, only_needs=True), check)


def test_each_statement_but_the_first_is_there_for_a_need() -> None:
    """Without its statement, the need is blocked."""
    check = build_check("s3", "ecr", "cloudformation", trust=ACCOUNT_ONLY)
    own, *others = generate_policy(check).statements
    needs = list_needs(check.features, check.endpoint)
    assert not own.needs
    assert len(others) == 2
    for statement in others:
        rest = [each.statement for each in (own, *others) if each is not statement]
        text = json.dumps({"Version": "2012-10-17", "Statement": rest})
        results = check_needs(parse_policy(text), needs, check)
        stopped = {each.need for each in results if each.status is NeedStatus.BLOCKED}
        assert set(statement.needs) == stopped


def test_only_what_is_needed_is_allowed() -> None:
    """With `only_needs` there is no statement for other requests."""
    found = generate_policy(build_check("s3", "ecr"), only_needs=True)
    (statement,) = found.document["Statement"]
    assert statement["Action"] == ["s3:GetObject"]
    assert statement["Resource"] == ["arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*"]


def test_the_allowed_actions_limit_what_trusted_principals_may_do() -> None:
    """Those of other services are left out."""
    check = build_check("s3", "ecr", allowed_actions=frozenset({"s3:Get*", "kms:Decrypt"}))
    found = generate_policy(check)
    assert found.document["Statement"][0]["Action"] == ["s3:Get*"]
    assert_proven(found, check)


@pytest.mark.parametrize(
    ("allowed", "listed"),
    [
        ({"s3:Get*", "s3:GetObject"}, ["s3:Get*"]),
        ({"s3:*", "s3:Get*"}, ["s3:*"]),
        ({"s3:Get?bject", "s3:GetObject"}, ["s3:Get?bject"]),
        ({"s3:Get*", "s3:get*"}, ["s3:Get*"]),
        ({"s3:Get*bject", "s3:Get??????"}, ["s3:Get*bject", "s3:Get??????"]),
    ],
)
def test_an_action_that_another_one_includes_is_left_out(
    allowed: set[str], listed: list[str]
) -> None:
    """Of actions that include each other, one is listed."""
    check = build_check("s3", allowed_actions=frozenset(allowed))
    assert generate_policy(check).document["Statement"][0]["Action"] == listed


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (
            build_check("s3", "ecr", allowed_actions=frozenset({"s3:PutObject"})),
            r"Amazon ECR \(ecr\) needs s3:GetObject, which allowed_actions does not list",
        ),
        (
            build_check("kms", allowed_actions=frozenset({"s3:*"})),
            "allowed_actions lists no action of kms",
        ),
        (build_check("s3", "ecr", account="", trust=Trust()), "nobody is trusted"),
        (build_check("ebs"), "requests to ebs hold no key of the resource's owner"),
        (
            PolicyCheck(EndpointContext(OWN, "com.amazonaws.vpce.eu-west-1.vpce-svc-0a1b")),
            "support no policy",
        ),
    ],
)
def test_a_conflict_is_named(check: PolicyCheck, expected: str) -> None:
    """What is needed, and what is in its way."""
    with pytest.raises(PolicyConflictError, match=expected):
        generate_policy(check)


def test_a_policy_that_is_not_proven_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the statements wrong, each answer would say so with the request that is allowed."""
    check = build_check("s3", "ecr")
    everything = parse_policy('{"Statement": {"Effect": "Allow", "Principal": "*",'
                              ' "Action": "*", "Resource": "*"}}')  # fmt: skip
    monkeypatch.setattr(
        "posture.policy.generate.decide_policy",
        lambda _, check, budget: decide_policy(everything, check, budget),
    )
    with pytest.raises(PolicyConflictError) as error:
        generate_policy(check)
    for what in ("full access", "an untrusted principal", "an untrusted resource"):
        assert f"allows {what}: arn:aws:iam::" in str(error.value)


def test_an_organization_can_be_trusted_without_an_account() -> None:
    """Then the account of the endpoint need not be known."""
    check = build_check("s3", "ecr", account="")
    assert_proven(generate_policy(check), check)


def test_a_policy_that_is_too_long_says_what_is_for() -> None:
    """EC2 accepts 20,480 characters; the features that take most are named."""
    accounts = frozenset(str(100_000_000_000 + number) for number in range(700))
    check = build_check("s3", "ecr", trust=Trust(accounts))
    with pytest.raises(PolicyConflictError, match=r"EC2 accepts 20480; most are for own requests"):
        generate_policy(check)


def test_a_long_policy_has_no_white_space() -> None:
    """EC2 counts white space."""
    accounts = frozenset(str(100_000_000_000 + number) for number in range(400))
    check = build_check("s3", trust=Trust(accounts))
    found = generate_policy(check)
    assert "\n" not in found.text
    assert_proven(found, check)


def test_what_aws_does_not_publish_is_not_proven() -> None:
    """The policy is still closed, and says for which need it is not known."""
    found = generate_policy(build_check("s3", "ecr", "amazon-q"))
    assert {each.need.feature for each in found.unproven} == {"amazon-q"}


def test_the_account_alone_can_be_trusted_without_an_organization() -> None:
    """Then the account's keys are compared, not the organization's."""
    found = generate_policy(build_check("sqs", trust=ACCOUNT_ONLY))
    (statement,) = found.document["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {"aws:PrincipalAccount": OWN, "aws:ResourceAccount": OWN}
    }


def test_own_requests_without_a_key_of_the_owner_pass() -> None:
    """The ARN, or `ec2:Owner`, says whose the resource is; requests for others' are not allowed."""
    found = generate_policy(build_check("events"))
    assert found.document["Statement"][1] == {
        "Sid": "OwnRequestsByArn",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["events:PutEvents", "events:PutRule", "events:PutTargets"],
        "Resource": [f"arn:aws:events:eu-west-1:{OWN}:*"],
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}},
    }
    found = generate_policy(build_check("ec2", trust=BOTH))
    by_owner = [s.statement for s in found.statements if "ByOwner" in s.statement["Sid"]]
    assert by_owner
    for each in by_owner:
        assert each["Action"] == ["ec2:CopyImage", "ec2:CopySnapshot", "ec2:CreateVolume"]
        assert each["Condition"]["StringEquals"]["ec2:Owner"] == [OWN, "222233334444"]


@settings(max_examples=25, deadline=None)
@given(
    service=st.sampled_from(sorted(USERS)),
    features=st.sets(st.sampled_from(sorted(read_features())), max_size=4),
    trust=st.sampled_from([IN_ORGANIZATION, ACCOUNT_ONLY, BOTH, Trust(strict=True)]),
    allowed=st.sets(st.sampled_from(["s3:*", "s3:Get*", "ecr:*", "ssm:Get*", "sts:*", "*:*"])),
    region=st.sampled_from(["eu-west-1", "us-east-1", "ap-southeast-7", "cn-northwest-1"]),
    only_needs=st.booleans(),
)
def test_whatever_is_asked_for_is_proven_or_in_conflict(
    *, features: set[str], allowed: set[str], only_needs: bool, **place: Any
) -> None:
    """There is no third outcome, and a conflict is a sentence."""
    names = expand_features(tuple(sorted(features)))
    check = build_check(place.pop("service"), *names, allowed_actions=frozenset(allowed), **place)
    try:
        found = generate_policy(check, only_needs=only_needs)
    except PolicyConflictError as error:
        conflicts = error.conflicts
    else:
        conflicts = ()
        assert_proven(found, check)
    assert all(len(each) > len("no such policy") and "\n" not in each for each in conflicts)
