"""What a policy is checked against: its endpoint, and the accounts and actions it may allow."""

from __future__ import annotations

from dataclasses import field, replace
from datetime import datetime

from posture.lean_dataclass import dataclass
from posture.model.service_names import find_region, get_partition
from posture.policy.service_actions import DEFAULT_REGION, find_action_prefixes

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL_NAMES = frozenset({"com.amazonaws.iam", "com.amazonaws.route53", "iam", "route53"})


@dataclass(frozen=True, slots=True)
class Trust:
    """The trusted accounts and organizations. The endpoint's own account is always trusted.

    A resource whose name holds no account ID (an S3 bucket, an AMI) counts as trusted if the
    policy names it in full, and so do the resources that AWS owns. `strict` trusts neither
    without a condition on the resource's owner. `own_organization` is that of the endpoint's
    account, if it is known: its ID, or the account's path in it. It is not trusted for that.
    `of_aws` are accounts of AWS.
    """

    accounts: frozenset[str] = frozenset()
    organizations: frozenset[str] = frozenset()
    strict: bool = False
    own_organization: str = ""
    of_aws: frozenset[str] = frozenset()

    def with_account(self, account: str) -> Trust:
        """Return the same trust with another account; "" is ignored."""
        return replace(self, accounts=(self.accounts | {account}) - {""})

    def covers(self, account: str, organization: str | None) -> bool:
        """Return whether an account, as a member of an organization, is trusted."""
        return account in self.accounts or organization in self.organizations


@dataclass(frozen=True, slots=True)
class EndpointContext:
    """The endpoint that a policy is attached to. "" or None is what is not known.

    `service` is the full or the short name of the endpoint's service. Gateway endpoints ignore
    the principals that a policy names. `own_organization` is the one of `Trust`.
    """

    account: str
    service: str = ""
    gateway: bool = False
    vpc_id: str | None = None
    endpoint_id: str | None = None
    own_organization: str = ""

    @property
    def organization(self) -> str | None:
        """The ID of the organization."""
        return self.own_organization.partition("/")[0] or None

    @property
    def organization_path(self) -> str | None:
        """The path of the endpoint's account in the organization."""
        return self.own_organization if "/" in self.own_organization else None

    @property
    def requested_region(self) -> str | None:
        """The Region of requests: for a global service the one where its endpoint is."""
        return self.region or (DEFAULT_REGION if self.service in GLOBAL_NAMES else None)

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
    every action is allowed. `features` are those whose requests must pass. Anyone may use the
    resources of AWS that they need, and read all others unless there are to be `only_features`.
    """

    endpoint: EndpointContext
    trust: Trust = field(default_factory=Trust)
    now: datetime | None = None
    allowed_actions: frozenset[str] = frozenset()
    features: tuple[str, ...] = ()
    only_features: bool = False
