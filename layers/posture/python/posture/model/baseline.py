"""What an organization requires of a scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, frozenset[str]]) -> bool:
    """Return whether a resource has every wanted tag, with one of its values or, for `*`, any."""
    return all(
        key in tags and (tags[key] in values or "*" in values) for key, values in wanted.items()
    )


@dataclass(frozen=True, slots=True)
class Baseline:
    """The requirements for one scope, with all overrides applied.

    Services are short names such as `s3` or `ecr.dkr`. Accounts are 12-digit account ids; the
    account of the scope is always trusted. Organizations are `o-…` ids. Allowed endpoint services
    are full service names or ids of owner accounts.
    """

    required_services: tuple[str, ...] = ()
    accept_fips_endpoints: bool = False  # `kms-fips` meets the requirement of `kms`
    trusted_accounts: frozenset[str] = frozenset()
    trusted_organizations: frozenset[str] = frozenset()
    organization: str = ""  # of the scope's own account: its id, or the account's path in it
    allowed_endpoint_services: frozenset[str] = frozenset()
    allowed_regions: frozenset[str] = frozenset()  # in addition to the Region of the VPC
    allowed_actions: frozenset[str] = frozenset()  # in endpoint policies; empty: all
    # The features whose AWS-owned resources workloads must reach. None: those that the required
    # services imply, and whatever else AWS owns may be read.
    aws_owned_resources: tuple[str, ...] | None = None
    # Tags of subnets that hold no workloads, such as those of firewalls and transit gateways.
    infrastructure_subnets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    evaluate_unused_default_vpcs: bool = False  # by all rules, instead of one finding for each
    pending_grace_minutes: int = 15
    waiver_approval: bool = False  # a second person must approve a waiver
    waiver_max_days: int = 90  # a waiver with a longer term has no effect
    exempt: bool = False
    exempt_reason: str = ""
