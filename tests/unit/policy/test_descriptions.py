"""Requests as sentences: who calls, and on what."""

from dataclasses import replace

import pytest

from posture.policy.descriptions import describe_caller, describe_resource
from posture.policy.document import Policy
from posture.policy.request import CallerKind, Request

ROLE = "arn:aws:iam::444455556666:role/app"
BUCKET = "arn:aws:s3:::reports/key"
REQUEST = Request(
    CallerKind.PRINCIPAL, "444455556666", ROLE, "", "s3:GetObject", BUCKET, "777788889999"
)
NOBODY = Policy(())


@pytest.mark.parametrize(
    ("kind", "caller"),
    [
        (CallerKind.PRINCIPAL, ROLE),
        (CallerKind.ANONYMOUS, "an unauthenticated caller"),
        (CallerKind.FEDERATED, "a caller that signs in with SAML or web identity"),
        (CallerKind.SERVICE, "an AWS service principal"),
    ],
)
def test_each_kind_of_caller_is_named(kind: CallerKind, caller: str) -> None:
    """Without what is not known of it."""
    assert describe_caller(replace(REQUEST, kind=kind)) == caller


@pytest.mark.parametrize(
    ("via", "caller"),
    [
        ("true", f"an AWS service with the credentials of {ROLE}"),
        ("false", ROLE),
    ],
)
def test_a_service_that_forwards_a_request_is_not_its_principal(via: str, caller: str) -> None:
    """By aws:ViaAWSService, which every other request has as false."""
    assert describe_caller(replace(REQUEST, context={"aws:viaawsservice": (via,)})) == caller


@pytest.mark.parametrize(
    ("session", "organization", "details"),
    [
        ("alice", None, " (session alice)"),
        ("", "o-ours", " (organization o-ours)"),
        ("alice", "o-ours", " (session alice, organization o-ours)"),
    ],
)
def test_a_session_and_an_organization_are_added(
    session: str, organization: str | None, details: str
) -> None:
    """Where they are known."""
    request = replace(REQUEST, session=session, organization=organization)
    assert describe_caller(request) == ROLE + details


@pytest.mark.parametrize(
    ("resource", "owner", "organization", "described"),
    [
        ("*", "777788889999", None, "in account 444455556666"),
        (BUCKET, "aws", None, f"on {BUCKET}, owned by AWS"),
        (BUCKET, "777788889999", None, f"on {BUCKET}, owned by account 777788889999"),
        (BUCKET, "777788889999", "o-a", f"on {BUCKET}, owned by account 777788889999 in o-a"),
    ],
)
def test_a_resource_is_named_with_its_owner(
    resource: str, owner: str, organization: str | None, described: str
) -> None:
    """An action without a resource is one in the caller's account."""
    request = replace(REQUEST, resource=resource, owner=owner, owner_organization=organization)
    assert describe_resource(request, NOBODY) == described
