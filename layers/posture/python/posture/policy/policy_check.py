"""Whom the organisation trusts, and where the endpoint stands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from posture.model.service_names import find_region


@dataclass(frozen=True, slots=True)
class Trust:
    """The trusted accounts and organisations; the endpoint's own account is among them.

    By default a literal name that carries no account (an S3 bucket's, an AMI's id) is taken for
    one's own when the policy names it, and AWS's own resources are no strangers'. `strict` demands
    a proof of ownership of both.
    """

    accounts: frozenset[str] = frozenset()
    organizations: frozenset[str] = frozenset()
    strict: bool = False

    def with_account(self, account: str) -> Trust:
        """Give the same with another trusted account, where one is told."""
        return replace(self, accounts=(self.accounts | {account}) - {""})

    def covers(self, account: str, organization: str | None) -> bool:
        """Tell whether an account, in its organisation, is trusted."""
        return account in self.accounts or organization in self.organizations


@dataclass(frozen=True, slots=True)
class EndpointContext:
    """The endpoint whose policy it is, in its account; None or "" is what is not known.

    `service` is the endpoint's service, by its full or its short name. A gateway endpoint does not
    honour the principals a policy names.
    """

    account: str
    service: str = ""
    gateway: bool = False
    vpc_id: str | None = None
    endpoint_id: str | None = None

    @property
    def region(self) -> str | None:
        """The region in the service's name."""
        return find_region(self.service) if self.service else None

    @property
    def partition(self) -> str | None:
        """The partition of that region."""
        region = self.region
        if region is None:
            return None
        if region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if region.startswith("us-gov-") else "aws"


@dataclass(frozen=True, slots=True)
class PolicyCheck:
    """Where a policy stands, and what is expected of it.

    `now` is the earliest time a request may be made; `allowed_actions` are patterns, none for any.
    """

    endpoint: EndpointContext
    trust: Trust = field(default_factory=Trust)
    now: datetime | None = None
    allowed_actions: frozenset[str] = frozenset()
