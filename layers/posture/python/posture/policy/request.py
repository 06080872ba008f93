"""A concrete request through an endpoint, complete enough to be evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class CallerKind(Enum):
    """Who makes a request."""

    PRINCIPAL = "principal"
    ANONYMOUS = "anonymous"
    FEDERATED = "federated"  # AssumeRoleWithSAML and AssumeRoleWithWebIdentity
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Request:
    """A request: who, what, on which resource, with which condition keys.

    `principal` is the ARN as in aws:PrincipalArn, a role's for a session of that role, whose name
    is `session`; "" for callers without one. `owner` is the account that owns the resource ("aws"
    for AWS's own), whether or not the request tells. `context` holds the keys that are there, in
    lower case; a key that is not in it is absent.
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
