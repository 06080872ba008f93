"""Requests that features need, asked with their true signers."""

import json
from typing import Any

import pytest

from posture.policy import (
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    Trust,
    decide_policy_text,
    parse_policy,
)
from posture.policy.features.table import Signer, Use, expand_features
from posture.policy.needs import (
    NeedResult,
    NeedStatus,
    build_statements,
    check_needs,
    list_needs,
)
from posture.policy.needs.descriptions import describe_result
from posture.policy.suggest import suggest_policies

OWN = "111122223333"
ORG = "o-a1b2c3d4e5"
UNTRUSTED = "999988887777"
REGION = "us-east-1"
Statement = dict[str, Any]

ALLOW: Statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
DENY: Statement = {**ALLOW, "Effect": "Deny"}


def allow_if(start: Statement = ALLOW, **condition: Any) -> Statement:
    """Build a statement with a condition."""
    return {**start, "Condition": condition}


# The statements of AWS's data perimeter examples.
A = allow_if(StringEquals={"aws:PrincipalOrgID": ORG, "aws:ResourceOrgID": ORG})
B = allow_if(Bool={"aws:PrincipalIsAWSService": "true"})
LAYERS = f"arn:aws:s3:::prod-{REGION}-starport-layer-bucket/*"
REPOSITORY = f"arn:aws:s3:::al2023-repos-{REGION}-de612dc2/*"
RESPONSES = f"arn:aws:s3:::cloudformation-custom-resource-response-{REGION.replace('-', '')}/*"
WAITS = f"arn:aws:s3:::cloudformation-waitcondition-{REGION}/*"
C = {**ALLOW, "Action": "s3:GetObject", "Resource": [LAYERS, REPOSITORY, RESPONSES, WAITS]}
D = allow_if(StringEquals={"aws:PrincipalOrgID": ORG})
SIGN_IN = {**ALLOW, "Action": ["sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"]}
G = allow_if(SIGN_IN, StringEquals={"aws:ResourceOrgID": ORG})
HYBRID = [
    "ssm:RegisterManagedInstance",
    "ssm:RequestManagedInstanceRoleToken",
    "ssm:UpdateManagedInstancePublicKey",
]
H = allow_if({**ALLOW, "Action": HYBRID}, StringEquals={"ssm:NodeOrgId": ORG})
IN_ORG = Trust(organizations=frozenset({ORG}), own_organization=ORG)


def write(*statements: Statement) -> str:
    """Write a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def build_check(
    service: str, *features: str, trust: Trust = IN_ORG, region: str = REGION
) -> PolicyCheck:
    """Return an endpoint and the features that are needed through it."""
    name = service if service.startswith("com.") else f"com.amazonaws.{region}.{service}"
    endpoint = EndpointContext(OWN, name, service in {"s3", "dynamodb"}, "vpc-1", "vpce-1")
    return PolicyCheck(endpoint, trust, features=expand_features(features))


def ask(check: PolicyCheck, *statements: Statement) -> dict[str, NeedResult]:
    """Return the worst answer for each feature."""
    order = (NeedStatus.BLOCKED, NeedStatus.UNKNOWN, NeedStatus.PASSES)
    needs = list_needs(check.features, check.endpoint)
    results = check_needs(parse_policy(write(*statements)), needs, check)
    found: dict[str, NeedResult] = {}
    for each in sorted(results, key=lambda result: order.index(result.status)):
        found.setdefault(each.need.feature, each)
    return found


def statuses(check: PolicyCheck, *statements: Statement) -> dict[str, str]:
    """Return the worst status for each feature."""
    return {name: each.status.value for name, each in ask(check, *statements).items()}


def answers(check: PolicyCheck, *statements: Statement) -> tuple[str, str, str]:
    """Return whether a policy allows full access, untrusted principals, untrusted resources."""
    found = decide_policy_text(write(*statements), check).decision
    results = (found.full_access, found.untrusted_principal, found.untrusted_resource)
    full, principal, resource = (each.answer.value for each in results)
    return full, principal, resource


# --- what the sources lead one to expect ---------------------------------------------------------


def test_layers_are_read_with_a_url_of_an_account_of_aws() -> None:
    """So no condition on the organization lets them through, and the feature is named."""
    check = build_check("s3", "ecr")
    (found,) = ask(check, A).values()
    assert found.status is NeedStatus.BLOCKED
    assert found.signer is Signer.AWS_ACCOUNT
    assert describe_result(found) == (
        f"Amazon ECR (downloads of image layers) stops: s3:GetObject on {LAYERS} with a URL that "
        "an account of AWS presigned is blocked, no statement allows it"
    )
    assert statuses(check, A, C) == {"ecr": "passes"}
    assert statuses(check, A, B) == {"ecr": "blocked"}  # it is no service principal
    assert answers(check, A, C) == ("no", "no", "no")


def test_responses_to_cloudformation_are_put_by_a_service_principal() -> None:
    """The statement for reads of AWS's buckets is not enough."""
    check = build_check("s3", "cloudformation")
    assert statuses(check, A, C) == {"cloudformation": "blocked"}
    assert statuses(check, A, C, B) == {"cloudformation": "passes"}
    puts = {**C, "Action": "s3:PutObject", "Resource": [RESPONSES, WAITS]}
    assert statuses(check, A, puts) == {"cloudformation": "passes"}
    named = allow_if(StringEquals={"aws:PrincipalServiceName": "cloudformation.amazonaws.com"})
    assert statuses(check, A, named) == {"cloudformation": "passes"}


@pytest.mark.parametrize(
    "start", [[ALLOW], [A, allow_if(StringEquals={"aws:PrincipalTag/x": "y"})]]
)
def test_what_is_suggested_lets_needs_through(start: list[Statement]) -> None:
    """And says which other features would stop."""
    check = build_check("s3", "ecr", "ssm", "amazon-linux", "cloudformation")
    text = write(*start)
    suggested = suggest_policies(text, decide_policy_text(text, check).decision, check)
    assert suggested
    for each in suggested:
        added = json.loads(each.text)["Statement"]
        assert set(statuses(check, *added).values()) == {"passes"}
        assert answers(check, *added) == ("no", "no", "no")
    if start == [ALLOW]:
        assert "codedeploy" in suggested[0].stops


def test_images_of_add_ons_are_of_an_account_of_aws() -> None:
    """The node's role pulls them."""
    check = build_check("ecr.api", "eks")
    addons = allow_if(
        StringEquals={"aws:PrincipalOrgID": ORG, "aws:ResourceAccount": "602401143452"}
    )
    by_arn = {**D, "Resource": f"arn:aws:ecr:{REGION}:602401143452:repository/*"}
    assert statuses(check, A) == {"eks": "blocked", "ecr": "passes"}
    assert statuses(check, A, addons) == {"eks": "passes", "ecr": "passes"}
    assert statuses(check, A, by_arn) == {"eks": "passes", "ecr": "passes"}
    assert answers(check, A, addons) == ("no", "no", "no")
    beijing = build_check("ecr.api", "eks", region="cn-north-1")
    (image,) = (each for each in list_needs(("eks",), beijing.endpoint) if each.owned_by_aws)
    assert image.resource == "arn:aws-cn:ecr:cn-north-1:918309763551:repository/*"


def test_who_signs_in_with_web_identity_has_no_key_of_a_principal() -> None:
    """The role's organization counts; a Deny for AWS principals does not reach the caller."""
    check = build_check("sts", "sts-web-identity", "sts-saml")
    blocked = {"sts-web-identity": "blocked", "sts-saml": "blocked"}
    passes = dict.fromkeys(blocked, "passes")
    assert statuses(check, A) == blocked
    assert statuses(check, A, {**G, "Principal": {"AWS": "*"}}) == blocked
    assert statuses(check, A, G) == passes
    deny = allow_if(DENY, StringNotEquals={"aws:PrincipalOrgID": ORG})
    assert statuses(check, ALLOW, deny) == blocked
    assert statuses(check, ALLOW, {**deny, "Principal": {"AWS": "*"}}) == passes
    assert answers(check, A, G) == ("no", "no", "no")


def test_documents_and_parameters_of_aws_are_never_silently_allowed() -> None:
    """AWS documents no organization of their owner."""
    check = build_check("ssm", "ssm")
    assert statuses(check, A) == {"ssm": "blocked"}
    own = allow_if(StringEquals={"aws:PrincipalOrgID": ORG, "aws:ResourceAccount": OWN})
    assert statuses(check, own) == {"ssm": "blocked"}
    other = allow_if(StringNotEquals={"aws:ResourceAccount": UNTRUSTED})
    assert statuses(check, other) == {"ssm": "unknown"}  # AWS does not publish the account
    documents = {
        **D,
        "Action": ["ssm:Get*", "ssm:Describe*"],
        "Resource": ["arn:aws:ssm:*::document/*", "arn:aws:ssm:*::parameter/aws/*"],
    }
    assert statuses(check, A, documents) == {"ssm": "passes"}


def test_hybrid_nodes_have_keys_of_their_own() -> None:
    """Which nobody else can have."""
    check = build_check("ssm", "ssm-hybrid")
    assert statuses(check, A)["ssm-hybrid"] == "blocked"
    assert statuses(check, A, H)["ssm-hybrid"] == "passes"
    account = allow_if({**ALLOW, "Action": HYBRID}, StringEquals={"ssm:NodeAccountId": OWN})
    assert statuses(check, A, account)["ssm-hybrid"] == "passes"
    assert answers(check, A, H) == ("no", "no", "no")
    other = allow_if({**ALLOW, "Action": HYBRID}, StringEquals={"ssm:NodeOrgId": "o-zzzzzzzzzz"})
    assert answers(check, A, other)[1] == "yes"


def test_a_key_that_the_service_does_not_send_hits_every_request() -> None:
    """AWS sends aws:VpceAccount to some services only."""
    deny = allow_if(DENY, StringNotEquals={"aws:VpceAccount": OWN})
    assert statuses(build_check("sts", "sts"), ALLOW, deny) == {"sts": "blocked"}
    assert statuses(build_check("ecr.api", "ecr"), ALLOW, deny) == {"ecr": "passes"}
    lints = decide_policy_text(write(ALLOW, deny), build_check("sts")).lints
    assert "key-never-present" in {each.id for each in lints}


def test_aws_services_are_reported_as_exceptions_only() -> None:
    """AWS recommends the statement for its service principals, which seems to allow all."""
    check = build_check("s3")
    assert answers(check, A, B) == ("no", "no", "no")
    found = decide_policy_text(write(A, B), check).decision.untrusted_principal
    assert found.exceptions


def test_the_policy_that_guardduty_creates_is_not_open() -> None:
    """It denies every other account."""
    check = build_check("guardduty-data", "guardduty", trust=Trust())
    deny = allow_if(DENY, StringNotEquals={"aws:PrincipalAccount": OWN})
    assert answers(check, ALLOW, deny)[:2] == ("no", "no")
    assert statuses(check, ALLOW, deny) == {"guardduty": "passes"}


@pytest.mark.parametrize(
    ("statement", "lint"),
    [
        (allow_if(StringLike={"aws:PrincipalArn": "arn:aws:iam::*:role/app"}), None),
        (allow_if(StringLike={"aws:PrincipalTag/team": "ab*cd"}), "short-text-at-wildcard"),
        (allow_if(StringLike={"aws:PrincipalOrgID": "o-*"}), "wildcard-in-id"),
        ({**ALLOW, "Resource": "arn:aws:sqs:*:1234*:q"}, "partial-account-in-arn"),
    ],
)
def test_what_ec2_refuses(statement: Statement, lint: str | None) -> None:
    """At the next change of the policy."""
    found = {each.id for each in decide_policy_text(write(statement), build_check("sqs")).lints}
    assert (found == set()) if lint is None else lint in found


# --- what users did wrong ------------------------------------------------------------------------

ALL = ("ecr", "amazon-linux", "ssm", "cloudformation")


@pytest.mark.parametrize(
    ("name", "service", "features", "statements", "stopped"),
    [
        ("an organization only", "s3", ALL, [A], set(ALL)),
        ("an account only", "s3", ALL,
         [allow_if(StringEquals={"aws:PrincipalAccount": OWN})], set(ALL)),
        ("a list of roles", "s3", ALL,
         [allow_if(ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{OWN}:role/*"})], set(ALL)),
        ("own buckets only", "s3", ALL, [{**ALLOW, "Resource": "arn:aws:s3:::ours*"}], set(ALL)),
        ("only denials", "s3", ALL,
         [allow_if(DENY, StringNotEquals={"aws:SourceVpc": "vpc-1"})], set(ALL)),
        ("a Deny without exceptions", "s3", ALL,
         [ALLOW, allow_if(DENY, StringNotEquals={"aws:PrincipalOrgID": ORG})], set(ALL)),
        ("a Deny that exempts services", "s3", ALL,
         [ALLOW, allow_if(DENY, StringNotEquals={"aws:PrincipalOrgID": ORG},
                          BoolIfExists={"aws:PrincipalIsAWSService": "false"})],
         {"ecr", "amazon-linux", "ssm"}),
        ("no federation", "sts", ("sts", "sts-web-identity"), [A], {"sts-web-identity"}),
        ("reads of CloudFormation's buckets", "s3", ("cloudformation",), [A, C],
         {"cloudformation"}),
        ("addresses", "s3", ("ecr",),
         [allow_if(IpAddress={"aws:SourceIp": "10.0.0.0/8"})], {"ecr"}),
        ("an account at a gateway endpoint", "s3", ("glue",),
         [{**ALLOW, "Principal": {"AWS": OWN}}], {"glue"}),
        ("repositories for the login", "ecr.api", ("ecr",),
         [{**ALLOW, "Resource": f"arn:aws:ecr:{REGION}:{OWN}:repository/*"}], {"ecr"}),
        ("secrets for new passwords", "secretsmanager", ("secrets-rotation",),
         [{**ALLOW, "Resource": f"arn:aws:secretsmanager:*:{OWN}:secret:*"}],
         {"secrets-rotation"}),
        ("log groups for metrics", "monitoring", ("cloudwatch-agent",),
         [{**ALLOW, "Resource": f"arn:aws:logs:*:{OWN}:*"}], {"cloudwatch-agent"}),
        ("no AMIs of Amazon", "ec2", ("amazon-amis",), [A], {"amazon-amis"}),
        ("one ECR endpoint only", "ecr.dkr", ("ecr",),
         [{**A, "Action": "ecr:GetAuthorizationToken"}], {"ecr"}),
        ("names of another partition", "s3", ("ecr",),
         [A, {**C, "Resource": LAYERS.replace("arn:aws:", "arn:aws-cn:")}], {"ecr"}),
        ("names of another Region", "s3", ("ecr",),
         [A, {**C, "Resource": LAYERS.replace(REGION, "us-west-2")}], {"ecr"}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_a_mistake_of_users(
    name: str,
    service: str,
    features: tuple[str, ...],
    statements: list[Statement],
    stopped: set[str],
) -> None:
    """What stops is named."""
    assert name
    check = build_check(service, *features)
    needs = list_needs(check.features, check.endpoint, Use.ALWAYS)
    results = check_needs(parse_policy(write(*statements)), needs, check)
    blocked = {each.need.feature for each in results if each.status is NeedStatus.BLOCKED}
    assert blocked == stopped


@pytest.mark.parametrize(
    ("resource", "open_to_others"),
    [
        (LAYERS, False),
        ("arn:aws:s3:::prod-*-starport-layer-bucket/*", True),
        ("arn:aws:s3:::prod-us-east-?-starport-layer-bucket/*", True),
        ("arn:aws:s3:::prod-xx-nowhere-1-starport-layer-bucket/*", True),
        ("arn:aws:s3:::patch-baseline-snapshot-us-east-1-*/*", True),
        ("arn:aws:s3:::al2023-repos-us-east-1-de612dc3/*", True),
        ("arn:aws:s3:::prod-us-east-1-starport-layer-bucket*", True),
        ("arn:aws:s3:::*", True),
    ],
)
def test_only_whole_names_are_aws_s_own(resource: str, open_to_others: bool) -> None:
    """Anyone can create a bucket whose name fits a wildcard; an example never names AWS's."""
    check = build_check("s3", "ecr")
    found = decide_policy_text(write({**C, "Resource": resource}), check).decision
    expected = PolicyAnswer.YES if open_to_others else PolicyAnswer.NO
    assert found.untrusted_principal.answer is expected
    for example in (found.untrusted_principal.request, found.untrusted_resource.request):
        if example and example.owner != "aws":
            assert f"{example.resource}/".partition("/")[0] != LAYERS.partition("/")[0]


def test_a_write_to_what_aws_owns_says_that_aws_owns_it() -> None:
    """Whoever the caller is."""
    found = decide_policy_text(write({**C, "Action": "s3:*"}), build_check("s3", "ecr")).decision
    example = found.untrusted_principal.request
    assert example
    assert example.owner == "aws"
    assert not example.action.startswith(("s3:Get", "s3:List"))


# --- what is not known ---------------------------------------------------------------------------


def test_what_aws_does_not_state_is_unknown() -> None:
    """Unless every reading gives the same answer."""
    check = build_check("cloudformation", "cloudformation")
    assert ask(check, A)["cloudformation"].status is NeedStatus.BLOCKED  # transforms
    helper = ask(check, A, {**D, "Resource": f"arn:aws:cloudformation:{REGION}:aws:*"})
    assert helper["cloudformation"].status is NeedStatus.UNKNOWN
    assert "AWS does not state who signs it" in helper["cloudformation"].reason
    assert statuses(check, ALLOW) == {"cloudformation": "passes"}
    snapshot = build_check("s3", "patch")
    unsigned = allow_if(C, Null={"aws:PrincipalIsAWSService": "true"})
    bucket = f"arn:aws:s3:::patch-baseline-snapshot-{REGION}/*"
    found = ask(snapshot, {**unsigned, "Resource": bucket})["patch"]
    assert found.status is NeedStatus.BLOCKED  # the modules of patching
    needs = [each for each in list_needs(("patch",), snapshot.endpoint) if each.resource == bucket]
    (one,) = check_needs(parse_policy(write({**unsigned, "Resource": bucket})), needs, snapshot)
    assert one.status is NeedStatus.UNKNOWN


def test_anonymous_is_documented_in_two_ways() -> None:
    """aws:PrincipalAccount is `anonymous`, or absent; a negated Deny hits in both cases."""
    check = build_check("s3", "amazon-linux")
    deny = allow_if(DENY, StringNotEquals={"aws:PrincipalAccount": OWN})
    assert statuses(check, ALLOW, deny) == {"amazon-linux": "blocked"}
    if_exists = allow_if(StringEqualsIfExists={"aws:PrincipalAccount": OWN})
    assert statuses(check, if_exists) == {"amazon-linux": "unknown"}


def test_an_own_role_passes_if_some_role_does() -> None:
    """Which one it is, its tags and its repositories are the workload's choice."""
    check = build_check("ecr.api", "ecr")
    role = {**ALLOW, "Principal": {"AWS": f"arn:aws:iam::{OWN}:role/path/pull"}}
    tagged = allow_if(StringLike={"aws:PrincipalTag/team": "x*"})
    login = {**ALLOW, "Action": "ecr:GetAuthorizationToken"}
    some = {**ALLOW, "Resource": f"arn:aws:ecr:*:{OWN}:repository/app/*"}
    central = {**ALLOW, "Resource": "arn:aws:ecr:*:444455556666:repository/*"}
    for statements in ([role], [tagged], [login, some], [login, central]):
        assert statuses(check, *statements) == {"ecr": "passes"}
    nobody = allow_if(StringEquals={"aws:PrincipalAccount": "444455556666"})
    contradiction = allow_if(DENY, StringLike={"aws:PrincipalTag/team": "x*"})
    assert statuses(check, nobody) == {"ecr": "blocked"}
    assert statuses(check, tagged, contradiction) == {"ecr": "blocked"}


def test_a_vpc_that_is_not_given_leaves_the_answer_open() -> None:
    """As for the other questions."""
    policy = parse_policy(write(allow_if(StringEquals={"aws:SourceVpc": "vpc-1"})))
    endpoint = EndpointContext(OWN, f"com.amazonaws.{REGION}.ecr.api")
    check = PolicyCheck(endpoint, IN_ORG)
    results = check_needs(policy, list_needs(("ecr",), endpoint), check)
    assert {each.status for each in results} == {NeedStatus.UNKNOWN}
    assert "aws:SourceVpc" in results[0].reason


def test_a_name_that_aws_does_not_publish_is_unknown() -> None:
    """Rather than passed over."""
    check = build_check("s3", "patch", region="us-gov-west-1")
    found = ask(check, ALLOW)["patch"]
    assert found.status is NeedStatus.UNKNOWN
    assert found.reason == "AWS publishes no name of the resource in us-gov-west-1"
    nowhere = EndpointContext(OWN, "s3", gateway=True)
    (need,) = list_needs(("ecr",), nowhere)
    assert need.missing == "the Region of the endpoint is not given"


def test_work_on_needs_is_limited() -> None:
    """A policy that is too complex leaves them unknown."""
    values = [f"*{number}*{number * 7}*" for number in range(300)]
    statement = allow_if(StringLike={"aws:PrincipalTag/team": values})
    denial = allow_if(
        DENY, StringNotLike={"aws:PrincipalTag/team": [f"{each}a*" for each in values]}
    )
    check = build_check("ecr.api", "eks")
    needs = list_needs(check.features, check.endpoint)
    results = check_needs(parse_policy(write(statement, denial)), needs, check, 100)
    assert {each.status for each in results} == {NeedStatus.UNKNOWN}


def test_the_statements_for_needs_let_them_through_and_nothing_else() -> None:
    """For every feature and every endpoint that it needs."""
    for trust in (IN_ORG, Trust(), Trust(frozenset({"444455556666"}), frozenset({ORG}))):
        for service, features in (
            ("s3", ALL),
            ("ecr.api", ("eks", "guardduty")),
            ("ssm", ("ssm", "ssm-hybrid")),
            ("sts", ("sts-saml", "sts-web-identity")),
            ("ec2", ("amazon-amis", "eks")),
            ("secretsmanager", ("secrets-rotation",)),
        ):
            check = build_check(service, *features, trust=trust)
            needs = list_needs(check.features, check.endpoint)
            statements = [dict(each.statement) for each in build_statements(needs, check)]
            assert set(statuses(check, *statements).values()) == {"passes"}, (service, trust)
            assert answers(check, *statements) == ("no", "no", "no"), (service, trust)


def test_an_account_whose_organization_is_not_known_may_be_in_none() -> None:
    """A policy for an organization then blocks its requests."""
    alone = build_check("s3", "ecr", trust=Trust(frozenset({OWN})))
    assert statuses(alone, D) == {"ecr": "blocked"}
