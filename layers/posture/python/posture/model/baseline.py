"""What an organization requires of a scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from posture.lean_dataclass import dataclass


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, frozenset[str]]) -> bool:
    """Return whether a resource has every wanted tag, with one of its values or, for `*`, any."""
    return all(
        key in tags and (tags[key] in values or "*" in values) for key, values in wanted.items()
    )


@dataclass(frozen=True, slots=True)
class VpcSelector:
    """Conditions that select VPCs; a VPC must meet each kind that is not empty.

    A tag matches one of its values, or any value when `*` is among them.
    """

    accounts: frozenset[str] = frozenset()
    organizational_units: frozenset[str] = frozenset()
    vpcs: frozenset[str] = frozenset()
    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def selects(self, vpc_id: str, account: str, tags: Mapping[str, str], path: str) -> bool | None:
        """Return whether a VPC meets all conditions; None where its organizational unit decides.

        Args:
            vpc_id: The VPC.
            account: Its account.
            tags: Its tags.
            path: The path of its account in the organization, as in `o-…/r-…/ou-…/`; without a
                root, the units of the account are not known.
        """
        if (
            (self.accounts and account not in self.accounts)
            or (self.vpcs and vpc_id not in self.vpcs)
            or not has_tags(tags, self.tags)
        ):
            return False
        if not self.organizational_units:
            return True
        if "/r-" not in path:
            return None
        return not self.organizational_units.isdisjoint(path.split("/"))


@dataclass(frozen=True, slots=True)
class CentralEndpoints:
    """VPCs whose endpoints serve other VPCs, and those that must use them.

    Attributes:
        hubs: The VPCs with the endpoints.
        services: The short names of the services; none for every service that a hub has an
            interface endpoint for.
        spokes: The VPCs that must use the endpoints, and no others may. A hub is none of them.
    """

    hubs: VpcSelector
    services: tuple[str, ...] = ()
    spokes: VpcSelector = field(default_factory=VpcSelector)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The requirements for one scope, with all overrides applied.

    Services are short names such as `s3` or `ecr.dkr`. Accounts are 12-digit account ids; the
    account of the scope is always trusted. Organizations are `o-…` ids. Allowed endpoint services
    are full service names or ids of owner accounts. `account_paths` are the paths in the
    organization by account, that of all others under `*`; empty unless organizational units count.
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
    central_endpoints: tuple[CentralEndpoints, ...] = ()
    account_paths: Mapping[str, str] = field(default_factory=dict)
    evaluate_unused_default_vpcs: bool = False  # by all rules, instead of one finding for each
    pending_grace_minutes: int = 15
    waiver_approval: bool = False  # a second person must approve a waiver
    waiver_max_days: int = 90  # a waiver with a longer term has no effect
    exempt: bool = False
    exempt_reason: str = ""

    def find_account_path(self, account: str) -> str:
        """Return the path of an account in the organization, "" where it is not known."""
        return self.account_paths.get(account, self.account_paths.get("*", ""))
