"""The working copy of the shared network to which edits are applied, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from posture.edits.draft import refuse
from posture.errors import UndecidedEditError
from posture.model.network import Network, PrefixList, Snapshot, Target, TargetKind
from posture.model.shared_network import (
    HostedZone,
    Profile,
    ResolverRule,
    SharedFacet,
    SharedNetwork,
    SharedVpc,
    TransitAttachment,
    TransitRouteTable,
    VpcPeering,
)

if TYPE_CHECKING:
    from posture.edits.draft import Draft

T = TypeVar("T")

PARTS = ("vpcs", "zones", "rules", "profiles", "attachments", "tables", "peerings", "prefix_lists")


@dataclass(slots=True)
class SharedDraft:
    """A copy of the shared network's parts that edits change in place, and what they assume.

    `drafts` are the working copies of the VPCs that are known, by VPC id; `authorized` has the
    zones and VPCs whose association an earlier edit allows.
    """

    shared: SharedNetwork
    drafts: Mapping[str, Draft]
    vpcs: dict[str, SharedVpc]
    zones: dict[str, HostedZone]
    rules: dict[str, ResolverRule]
    profiles: dict[str, Profile]
    attachments: dict[str, TransitAttachment]
    tables: dict[str, TransitRouteTable]
    peerings: dict[str, VpcPeering]
    prefix_lists: dict[str, PrefixList]
    authorized: set[tuple[str, str]] = field(default_factory=set)
    assumptions: dict[str, None] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)

    @classmethod
    def copy(cls, shared: SharedNetwork, drafts: Mapping[str, Draft]) -> SharedDraft:
        """Copy a shared network; the copy shares all parts that no edit changes."""
        parts: dict[str, Any] = {name: dict(getattr(shared, name)) for name in PARTS}
        return cls(shared, drafts, **parts)

    def freeze(self, central: Mapping[str, Snapshot]) -> SharedNetwork:
        """Return the shared network after the edits; a part that did not change is the original.

        Args:
            central: The snapshots of the central VPCs after the edits.
        """
        parts: dict[str, Any] = {
            name: dict(sorted(now.items()))
            for name in PARTS
            if (now := getattr(self, name)) != getattr(self.shared, name)
        }
        before = self.shared.central_vpcs
        if any(central[each] is not before[each] for each in before):
            parts["central_vpcs"] = {each: central[each] for each in before}
        return replace(self.shared, **parts) if parts else self.shared

    def create_id(self, prefix: str) -> str:
        """Return a symbol for the id of a new resource, such as `Z-new-1`."""
        self.created[prefix] = number = self.created.get(prefix, 0) + 1
        return f"{prefix}-new-{number}"

    def assume(self, text: str) -> None:
        """Note what the shared network does not hold and an edit relies on."""
        self.assumptions[text] = None

    def get_vpc(self, vpc_id: str, code: str = "InvalidVPCId") -> SharedVpc:
        """Look up a VPC of a watched account."""
        return self._get(self.vpcs, vpc_id, code, "VPC", SharedFacet.VPCS)

    def get_zone(self, zone_id: str) -> HostedZone:
        """Look up a private hosted zone; the CLI also takes its id with the path before it."""
        facets = (SharedFacet.ZONES, SharedFacet.ZONE, SharedFacet.ZONES_OF_VPC)
        bare = zone_id.removeprefix("/hostedzone/")
        return self._get(self.zones, bare, "NoSuchHostedZone", "hosted zone", *facets)

    def get_rule(self, rule_id: str) -> ResolverRule:
        """Look up a Resolver rule."""
        code = "ResourceNotFoundException"
        return self._get(self.rules, rule_id, code, "Resolver rule", SharedFacet.RULES)

    def get_profile(self, profile_id: str) -> Profile:
        """Look up a Profile."""
        code = "ResourceNotFoundException"
        return self._get(self.profiles, profile_id, code, "Profile", SharedFacet.PROFILES)

    def get_table(self, table_id: str) -> TransitRouteTable:
        """Look up a route table of a transit gateway."""
        code, facet = "InvalidRouteTableID.NotFound", SharedFacet.TRANSIT_ROUTE_TABLES
        return self._get(self.tables, table_id, code, "Transit Gateway Route Table", facet)

    def get_attachment(self, attachment_id: str) -> TransitAttachment:
        """Look up an attachment that exists."""
        living = {
            each.id: each
            for each in self.attachments.values()
            if each.state not in {"deleted", "deleting"}
        }
        code = "InvalidTransitGatewayAttachmentID.NotFound"
        facets = (SharedFacet.ATTACHMENTS, SharedFacet.VPC_ATTACHMENTS)
        return self._get(living, attachment_id, code, "Transit Gateway Attachment", *facets)

    def find_account(self, vpc_id: str) -> str:
        """Return the account of a VPC; "" if it is not known."""
        if draft := self.drafts.get(vpc_id):
            return draft.snapshot.scope.account
        return self.vpcs[vpc_id].account if vpc_id in self.vpcs else ""

    def list_cidrs(self, vpc_id: str) -> tuple[Network, ...]:
        """List the CIDR blocks of a VPC.

        Raises:
            UndecidedEditError: They are not known.
        """
        found = self.list_known_cidrs(vpc_id)
        if not found:
            raise UndecidedEditError(f"the CIDR blocks of {vpc_id} are not known")
        return found

    def list_known_cidrs(self, vpc_id: str) -> tuple[Network, ...]:
        """List the CIDR blocks of a VPC; none if they are not known."""
        if draft := self.drafts.get(vpc_id):
            return (*draft.vpc.cidrs, *draft.vpc.ipv6_cidrs)
        found = self.vpcs.get(vpc_id)
        return found.cidrs if found else ()

    def list_zone_names(self, vpc_id: str) -> frozenset[str] | None:
        """List the names of the zones that are associated with a VPC; None if not known."""
        vpc = self.vpcs.get(vpc_id)
        if vpc is None or any(each not in self.zones for each in vpc.zone_ids):
            return None
        return frozenset(self.zones[each].name for each in vpc.zone_ids)

    def is_attached(self, target: Target, vpc_id: str) -> bool | None:
        """Return whether a VPC is attached to a gateway or peered; None if it is not known."""
        if target.kind is TargetKind.PEERING:
            found = self.peerings.get(target.id)
            sides = {found.requester.vpc_id, found.accepter.vpc_id} if found else set()
            return True if vpc_id in sides else None
        if target.kind in {TargetKind.TRANSIT_GATEWAY, TargetKind.CORE_NETWORK}:
            gateway_id = target.id.rpartition("/")[2]
            own = (each for each in self.attachments.values() if each.resource_id == vpc_id)
            if any(each.gateway_id == gateway_id and each.state == "available" for each in own):
                return True
            return False if gateway_id in self.shared.gateways else None
        return None

    def _get(
        self, items: Mapping[str, T], item_id: str, code: str, noun: str, *facets: SharedFacet
    ) -> T:
        found = items.get(item_id)
        if found is not None:
            return found
        for each in self.shared.unread:  # it may be what could not be read
            if each.facet in facets:
                raise UndecidedEditError(
                    f"the {noun} {item_id} was not read: {each.facet} in account {each.account} "
                    f"failed ({each.why})"
                )
        raise refuse(code, f"The {noun} '{item_id}' does not exist in the accounts that were read.")
