"""What a policy is checked against: its endpoint, and the accounts and actions it may allow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from posture.model.service_names import find_region, get_partition
from posture.policy.service_actions import find_action_prefixes


@dataclass(frozen=True, slots=True)
class Trust:
    """The trusted accounts and organisations. The endpoint's own account is always trusted.

    A resource whose name holds no account ID (an S3 bucket, an AMI) counts as trusted if the
    policy names it in full, and so do the resources that AWS owns. `strict` trusts neither
    without a condition on the resource's owner.
    """

    accounts: frozenset[str] = frozenset()
    organizations: frozenset[str] = frozenset()
    strict: bool = False

    def with_account(self, account: str) -> Trust:
        """Return the same trust with another account; "" is ignored."""
        return replace(self, accounts=(self.accounts | {account}) - {""})

    def covers(self, account: str, organization: str | None) -> bool:
        """Return whether an account, as a member of an organisation, is trusted."""
        return account in self.accounts or organization in self.organizations


@dataclass(frozen=True, slots=True)
class EndpointContext:
    """The endpoint that a policy is attached to. "" or None is what is not known.

    `service` is the full or the short name of the endpoint's service. Gateway endpoints ignore
    the principals that a policy names.
    """

    account: str
    service: str = ""
    gateway: bool = False
    vpc_id: str | None = None
    endpoint_id: str | None = None

    @property
    def region(self) -> str | None:
        """The Region in the service's name."""
        return find_region(self.service) if self.service else None

    @property
    def partition(self) -> str | None:
        """The partition of that Region."""
        return get_partition(self.region) if self.region else None

    @property
    def action_prefixes(self) -> tuple[str, ...]:
        """The prefixes of the actions that the endpoint carries; empty if not known."""
        return find_action_prefixes(self.service)


@dataclass(frozen=True, slots=True)
class PolicyCheck:
    """An endpoint, and what its policy may allow.

    `now` is the earliest time of a request. `allowed_actions` are patterns; if there are none,
    every action is allowed.
    """

    endpoint: EndpointContext
    trust: Trust = field(default_factory=Trust)
    now: datetime | None = None
    allowed_actions: frozenset[str] = frozenset()
