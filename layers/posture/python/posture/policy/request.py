"""A concrete request through an endpoint, complete enough to be evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from posture.lean_dataclass import dataclass


class CallerKind(Enum):
    """The kind of caller that makes a request."""

    PRINCIPAL = "principal"
    ANONYMOUS = "anonymous"
    FEDERATED = "federated"  # AssumeRoleWithSAML and AssumeRoleWithWebIdentity
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Request:
    """A request: the caller, the action, the resource and the condition keys.

    Attributes:
        kind: The kind of caller.
        account: The caller's account.
        principal: The ARN as in aws:PrincipalArn, for a role session the role's; "" if none.
        session: The name of the role session.
        action: The action, such as s3:GetObject.
        resource: The resource's ARN, or `*`.
        owner: The account that owns the resource, or "aws", whether or not a key holds it.
        organization: The caller's organization.
        owner_organization: The owner's organization.
        context: The condition keys of the request in lower case; a missing key is absent.
    """

    kind: CallerKind
    account: str
    principal: str
    session: str
    action: str
    resource: str
    owner: str
    organization: str | None = None
    owner_organization: str | None = None
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
