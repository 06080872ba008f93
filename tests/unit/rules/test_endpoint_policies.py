"""Results of the rules about endpoint policies."""

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from network_builders import (
    ACCOUNT,
    CUSTOM,
    KMS,
    REGION,
    S3,
    build_snapshot,
    gateway,
    interface,
    service,
    statuses,
    verdict_text,
    verdicts,
)
from posture.model.baseline import Baseline
from posture.model.network import EndpointType
from posture.model.verdict import Status

OPEN = "endpoint-policy-allows-full-access"
PRINCIPAL = "endpoint-policy-allows-untrusted-principal"
RESOURCE = "endpoint-policy-allows-untrusted-resource"
ACTIONS = "endpoint-policy-allows-unlisted-action"
NEEDS = "endpoint-policy-blocks-required-service"
READABLE = "endpoint-policy-malformed"

ATHENA = f"com.amazonaws.{REGION}.athena"
UNTRUSTED = "999988887777"
ORGANIZATION = "o-a1b2c3d4e5"
ALLOW_ALL = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def policy(*statements: Any) -> str:
    """Write a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (policy(ALLOW_ALL), Status.FAIL),
        (json.dumps({"Statement": ALLOW_ALL}), Status.FAIL),
        (policy({**ALLOW_ALL, "Sid": "x", "Principal": {"AWS": "*"}}), Status.FAIL),
        (policy({**ALLOW_ALL, "Principal": {"AWS": ["*"]}, "Action": ["*"]}), Status.FAIL),
        (policy({**ALLOW_ALL, "Action": ["s3:Get*", "*"]}), Status.FAIL),
        (policy({**ALLOW_ALL, "Action": "kms:*"}, ALLOW_ALL), Status.FAIL),
        (policy({**ALLOW_ALL, "Action": "kms:*"}), Status.FAIL),
        (policy({**ALLOW_ALL, "Action": "kms:Get*"}), Status.PASS),
        (policy({**ALLOW_ALL, "Resource": "arn:aws:s3:::mine/*"}), Status.PASS),
        (
            policy({**ALLOW_ALL, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}),
            Status.PASS,
        ),
        (policy({**ALLOW_ALL, "Principal": {"AWS": UNTRUSTED}}), Status.PASS),
        (policy(ALLOW_ALL, {**ALLOW_ALL, "Effect": "Deny", "Action": "s3:*"}), Status.FAIL),
        (policy(ALLOW_ALL, {**ALLOW_ALL, "Effect": "Deny", "Action": "kms:Put*"}), Status.PASS),
        (policy({**ALLOW_ALL, "Effect": "Deny"}), Status.PASS),
        (policy(), Status.PASS),
        ("not a policy", Status.UNKNOWN),
        ('"text"', Status.UNKNOWN),
        ('{"Statement": 3}', Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
)
def test_the_default_policy(text: str | None, status: Status) -> None:
    """At an endpoint of KMS, its actions are everything; what concerns others limits nothing."""
    assert statuses(OPEN, build_snapshot(interface("1", policy=text))) == {"vpce-1": status}


def test_a_service_without_policies_is_not_applicable() -> None:
    """Its endpoints have the default policy, which cannot be changed."""
    snapshot = build_snapshot(
        service(KMS, policy_supported=False), interface("1", policy=policy(ALLOW_ALL))
    )
    assert statuses(OPEN, snapshot) == {"vpce-1": Status.NOT_APPLICABLE}


def test_unknown_support_is_unknown() -> None:
    """Where EC2 does not tell, or the catalogue does not list the service."""
    open_policy = policy(ALLOW_ALL)
    untold = build_snapshot(service(KMS, policy_supported=None), interface("1", policy=open_policy))
    unlisted = build_snapshot(interface("1", ATHENA, policy=open_policy))
    assert statuses(OPEN, untold) == {"vpce-1": Status.UNKNOWN}
    assert statuses(OPEN, unlisted) == {"vpce-1": Status.UNKNOWN}


def test_a_customers_service_supports_no_policy() -> None:
    """Whose service it is, another rule asks."""
    assert statuses(OPEN, build_snapshot(interface("1", CUSTOM))) == {
        "vpce-1": Status.NOT_APPLICABLE
    }


def test_the_statement_is_the_evidence() -> None:
    """A person can look it up."""
    verdict = verdicts(OPEN, build_snapshot(gateway("1", policy=policy(ALLOW_ALL))))["vpce-1"]
    assert json.loads(verdict.evidence[0].record["statement"]) == ALLOW_ALL
    assert "modify-vpc-endpoint --vpc-endpoint-id vpce-1 --policy-document" in verdict_text(verdict)


def test_load_balancer_endpoints_have_no_policy() -> None:
    """They are not judged."""
    endpoint = interface("1", type=EndpointType.GATEWAY_LOAD_BALANCER, policy=None)
    assert statuses(OPEN, build_snapshot(endpoint)) == {}


# --- untrusted principals ------------------------------------------------------------------------

PERIMETER = {
    **ALLOW_ALL,
    "Effect": "Deny",
    "Condition": {
        "StringNotEqualsIfExists": {
            "aws:PrincipalOrgID": ORGANIZATION,
            "aws:PrincipalAccount": ACCOUNT,
        },
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
    },
}
TRUSTED = Baseline(trusted_organizations=frozenset({ORGANIZATION}))


def test_full_access_is_reported_once() -> None:
    """By its own rule."""
    snapshot = build_snapshot(interface("1", policy=policy(ALLOW_ALL)), service(KMS))
    assert statuses(PRINCIPAL, snapshot) == {"vpce-1": Status.NOT_APPLICABLE}
    assert statuses(RESOURCE, snapshot) == {"vpce-1": Status.NOT_APPLICABLE}


def test_a_data_perimeter_passes_with_its_exceptions() -> None:
    """Deny statements count, and AWS service principals are exceptions."""
    snapshot = build_snapshot(interface("1", policy=policy(ALLOW_ALL, PERIMETER)))
    verdict = verdicts(PRINCIPAL, snapshot, TRUSTED)["vpce-1"]
    assert verdict.status is Status.PASS
    assert "Still allowed: an AWS service" in verdict.evidence[0].text


def test_an_untrusted_principal_is_shown_with_its_statement() -> None:
    """A complete request, and the statement as it is written."""
    statement = {**ALLOW_ALL, "Action": "kms:Decrypt", "Principal": {"AWS": UNTRUSTED}}
    verdict = verdicts(PRINCIPAL, build_snapshot(interface("1", policy=policy(statement))))[
        "vpce-1"
    ]
    witness = json.loads(verdict.evidence[0].record["witness"])
    assert verdict.status is Status.FAIL
    assert (witness["account"], witness["action"]) == (UNTRUSTED, "kms:Decrypt")
    assert json.loads(verdict.evidence[0].record["statement"]) == statement


def test_the_remedy_is_a_policy_that_passes() -> None:
    """What the command would set is judged like any other policy."""
    for text in (
        policy({**ALLOW_ALL, "Action": "kms:Decrypt"}),
        policy(ALLOW_ALL, {**ALLOW_ALL, "Effect": "Deny", "Action": "kms:Put*"}),
    ):
        verdict = verdicts(PRINCIPAL, build_snapshot(interface("1", policy=text)), TRUSTED)[
            "vpce-1"
        ]
        assert verdict.remediation is not None
        words = shlex.split(verdict.remediation.command)
        suggested = words[words.index("--policy-document") + 1]
        again = build_snapshot(interface("1", policy=suggested))
        assert statuses(PRINCIPAL, again, TRUSTED) == {"vpce-1": Status.PASS}
        assert statuses(RESOURCE, again, TRUSTED) == {"vpce-1": Status.PASS}


def test_a_wildcard_in_a_bucket_name_allows_untrusted_buckets() -> None:
    """A name in full does not."""
    own = {"Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}}
    wild = {**ALLOW_ALL, **own, "Resource": "arn:aws:s3:::corp-*"}
    full = {**wild, "Resource": ["arn:aws:s3:::corp-data", "arn:aws:s3:::corp-data/*"]}
    snapshot = build_snapshot(gateway("1", policy=policy(wild)), gateway("2", policy=policy(full)))
    assert statuses(RESOURCE, snapshot) == {"vpce-1": Status.FAIL, "vpce-2": Status.PASS}


def test_the_endpoints_own_vpc_is_no_restriction() -> None:
    """Every request at it comes from there."""
    own = {**ALLOW_ALL, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}
    other = {**ALLOW_ALL, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-2"}}}
    snapshot = build_snapshot(
        service(KMS), interface("1", policy=policy(own)), interface("2", policy=policy(other))
    )
    assert statuses(OPEN, snapshot) == {"vpce-1": Status.FAIL, "vpce-2": Status.PASS}


# --- the baseline's actions and services ---------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "status"),
    [
        ((), Status.NOT_APPLICABLE),
        (("kms:*",), Status.PASS),
        (("kms:D*", "kms:Encrypt"), Status.PASS),
        (("kms:Encrypt",), Status.FAIL),
    ],
)
def test_actions_outside_the_allow_list(allowed: tuple[str, ...], status: Status) -> None:
    """Patterns cover patterns, in any case."""
    text = policy({**ALLOW_ALL, "Action": ["KMS:Decrypt", "kms:Describe*"]})
    baseline = Baseline(allowed_actions=frozenset(allowed))
    assert statuses(ACTIONS, build_snapshot(interface("1", policy=text)), baseline) == {
        "vpce-1": status
    }


def test_ecr_needs_its_layers() -> None:
    """They lie in a bucket of AWS's own, which the S3 endpoint must let be read."""
    layers = f"arn:aws:s3:::prod-{REGION}-starport-layer-bucket/*"
    mine = {**ALLOW_ALL, "Resource": "arn:aws:s3:::mine/*"}
    both = {**ALLOW_ALL, "Resource": ["arn:aws:s3:::mine/*", layers]}
    snapshot = build_snapshot(gateway("1", policy=policy(mine)), gateway("2", policy=policy(both)))
    needing = Baseline(required_services=("ecr.dkr", "ecr.api"))
    found = verdicts(NEEDS, snapshot, needing)
    assert {each.resource: each.status for each in found.values()} == {
        "vpce-1": Status.FAIL,
        "vpce-2": Status.PASS,
    }
    assert "stops Amazon ECR (downloads of image layers)" in found["vpce-1"].summary
    assert f"s3:GetObject on {layers} with a URL that an account of AWS presigned" in verdict_text(
        found["vpce-1"]
    )
    assert statuses(NEEDS, snapshot)["vpce-1"] is Status.NOT_APPLICABLE


ORGANIZATION_ONLY = {
    **ALLOW_ALL,
    "Condition": {
        "StringEquals": {"aws:PrincipalOrgID": ORGANIZATION, "aws:ResourceOrgID": ORGANIZATION}
    },
}
IN_ORGANIZATION = Baseline(
    trusted_organizations=frozenset({ORGANIZATION}), organization=ORGANIZATION
)


def needing(*features: str) -> Baseline:
    """Require features by name."""
    return replace(IN_ORGANIZATION, aws_owned_resources=features)


def test_each_feature_that_stops_is_named_with_its_request_and_source() -> None:
    """The repositories are read unsigned, and CloudFormation's URLs are a service principal's."""
    snapshot = build_snapshot(gateway("1", policy=policy(ORGANIZATION_ONLY)))
    baseline = needing("amazon-linux", "cloudformation")
    found = verdicts(NEEDS, snapshot, baseline)["vpce-1"]
    assert found.status is Status.FAIL
    assert {each.record["feature"] for each in found.evidence} == {"amazon-linux", "cloudformation"}
    (repository,) = (each for each in found.evidence if "de612dc2" in each.text)
    assert repository.text == (
        "Amazon Linux repositories (dnf on Amazon Linux 2023) stops: s3:GetObject on "
        f"arn:aws:s3:::al2023-repos-{REGION}-de612dc2/* without a signature is blocked, no "
        "statement allows it. aws_owned_resources names amazon-linux."
    )
    assert repository.record["source"].startswith("https://")
    assert statuses(NEEDS, snapshot, needing()) == {"vpce-1": Status.NOT_APPLICABLE}


def test_named_features_replace_those_that_required_services_imply() -> None:
    """Who names none says that workloads reach nothing of AWS."""
    snapshot = build_snapshot(gateway("1", policy=policy(ORGANIZATION_ONLY)))
    implied = replace(IN_ORGANIZATION, required_services=("ecr.dkr",))
    assert statuses(NEEDS, snapshot, implied) == {"vpce-1": Status.FAIL}
    none = replace(implied, aws_owned_resources=())
    assert statuses(NEEDS, snapshot, none) == {"vpce-1": Status.NOT_APPLICABLE}


def test_an_organization_that_is_not_known_leaves_the_answer_open() -> None:
    """The account may be in it or not; the baseline says so."""
    sts = f"com.amazonaws.{REGION}.sts"
    snapshot = build_snapshot(interface("1", sts, policy=policy(ORGANIZATION_ONLY)))
    required = Baseline(required_services=("sts",))
    found = verdicts(NEEDS, snapshot, required)["vpce-1"]
    assert found.status is Status.UNKNOWN
    assert f"the organization of account {ACCOUNT} is not known" in verdict_text(found)
    known = replace(required, organization=ORGANIZATION)
    assert statuses(NEEDS, snapshot, known) == {"vpce-1": Status.PASS}


def test_an_interface_endpoint_beside_a_gateway_endpoint_counts_if_names_lead_to_it() -> None:
    """Otherwise the gateway endpoint carries the requests, and only its policy matters."""
    closed = policy(ORGANIZATION_ONLY)
    for private_dns, only_inbound, expected in (
        (False, None, Status.NOT_APPLICABLE),
        (True, True, Status.NOT_APPLICABLE),
        (True, False, Status.FAIL),
    ):
        beside = interface(
            "2",
            S3,
            policy=closed,
            private_dns=private_dns,
            private_dns_only_for_inbound_resolver=only_inbound,
        )
        both = build_snapshot(gateway("1", policy=policy(ALLOW_ALL)), beside)
        found = statuses(NEEDS, both, needing("ecr"))
        assert found == {"vpce-1": Status.PASS, "vpce-2": expected}
        alone = build_snapshot(beside)
        assert statuses(NEEDS, alone, needing("ecr")) == {"vpce-2": Status.FAIL}


def test_reading_what_aws_owns_is_no_finding() -> None:
    """By anyone, as AWS recommends; to write it, a feature that needs it must be required."""
    layers = f"arn:aws:s3:::prod-{REGION}-starport-layer-bucket/*"
    waits = f"arn:aws:s3:::cloudformation-waitcondition-{REGION}/*"
    reads = {**ALLOW_ALL, "Action": "s3:GetObject", "Resource": [layers, waits]}
    writes = {**ALLOW_ALL, "Action": "s3:PutObject", "Resource": [layers, waits]}
    responds = {**writes, "Resource": waits}
    for statement, baseline, expected in (
        (reads, IN_ORGANIZATION, Status.PASS),
        (reads, needing("ecr", "cloudformation"), Status.PASS),
        (reads, needing("ecr"), Status.FAIL),
        (responds, IN_ORGANIZATION, Status.FAIL),
        (responds, needing("cloudformation"), Status.PASS),
        (writes, needing("cloudformation", "ecr"), Status.FAIL),
    ):
        snapshot = build_snapshot(gateway("1", policy=policy(ORGANIZATION_ONLY, statement)))
        found = verdicts(PRINCIPAL, snapshot, baseline)["vpce-1"]
        assert found.status is expected, (statement, baseline)
        if expected is Status.FAIL:
            assert json.loads(found.evidence[0].record["witness"])["resource_owner"] == "aws"
        assert statuses(RESOURCE, snapshot, baseline) == {"vpce-1": Status.PASS}


def test_a_required_service_must_get_something_through() -> None:
    """A policy that only denies allows nothing."""
    snapshot = build_snapshot(interface("1", policy=policy({**ALLOW_ALL, "Effect": "Deny"})))
    needing = Baseline(required_services=("kms",))
    assert statuses(NEEDS, snapshot, needing) == {"vpce-1": Status.FAIL}


def test_a_fips_endpoint_that_stands_for_a_required_service_must_get_something_through() -> None:
    """Only where the baseline accepts it instead of the other form."""
    fips = interface("1", f"{KMS}-fips", policy=policy({**ALLOW_ALL, "Effect": "Deny"}))
    needing = Baseline(required_services=("kms",))
    either = Baseline(required_services=("kms",), accept_fips_endpoints=True)
    assert statuses(NEEDS, build_snapshot(fips), needing) == {"vpce-1": Status.NOT_APPLICABLE}
    assert statuses(NEEDS, build_snapshot(fips), either) == {"vpce-1": Status.FAIL}


def test_an_unreadable_policy_is_a_finding() -> None:
    """With the place of the mistake; the other rules do not know."""
    text = '{"Statement": [{"Effect": "Allow", "Principle": "*"}]}'
    snapshot = build_snapshot(interface("1", policy=text), interface("2"))
    found = verdicts(READABLE, snapshot)
    assert found["vpce-1"].status is Status.FAIL
    assert "line 1, column 36" in found["vpce-1"].evidence[0].text
    assert found["vpce-2"].status is Status.PASS
    assert statuses(PRINCIPAL, snapshot)["vpce-1"] is Status.UNKNOWN
