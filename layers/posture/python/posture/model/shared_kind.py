"""The kinds of facts of the shared network, each of which a survey reads as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from posture.model.shared_network import SharedFacet


class SharedKind(StrEnum):
    """Facts of the shared network that one service holds and that change together.

    A kind is read in one account at a time.
    """

    ZONES = "zones"  # private hosted zones, their records and the VPCs that use them
    RESOLVER = "resolver"  # rules, their associations with VPCs, and inbound endpoints
    PROFILES = "profiles"  # Route 53 Profiles, their resources and associations
    TRANSIT = "transit"  # transit gateways, attachments, route tables and routes
    PEERINGS = "peerings"  # VPC peering connections
    CORE = "core"  # core networks of Cloud WAN, their attachments and routes


# The operations that a survey of each kind needs.
FACETS: Mapping[SharedKind, tuple[SharedFacet, ...]] = {
    SharedKind.ZONES: (
        SharedFacet.ZONES,
        SharedFacet.ZONE,
        SharedFacet.ZONES_OF_VPC,
        SharedFacet.RECORDS,
        SharedFacet.VPCS,
        SharedFacet.SERVICE_NAMES,
    ),
    SharedKind.RESOLVER: (
        SharedFacet.RULES,
        SharedFacet.RULE_ASSOCIATIONS,
        SharedFacet.RESOLVER_ENDPOINTS,
        SharedFacet.RESOLVER_ADDRESSES,
    ),
    SharedKind.PROFILES: (
        SharedFacet.PROFILES,
        SharedFacet.PROFILE_ASSOCIATIONS,
        SharedFacet.PROFILE_RESOURCES,
    ),
    SharedKind.TRANSIT: (
        SharedFacet.TRANSIT_GATEWAYS,
        SharedFacet.ATTACHMENTS,
        SharedFacet.VPC_ATTACHMENTS,
        SharedFacet.PEERING_ATTACHMENTS,
        SharedFacet.TRANSIT_ROUTE_TABLES,
        SharedFacet.TRANSIT_ROUTES,
        SharedFacet.PREFIX_LIST_REFERENCES,
        SharedFacet.PREFIX_LISTS,
    ),
    SharedKind.PEERINGS: (SharedFacet.PEERINGS,),
    SharedKind.CORE: (
        SharedFacet.CORE_NETWORKS,
        SharedFacet.CORE_NETWORK,
        SharedFacet.CORE_ATTACHMENTS,
        SharedFacet.CORE_VPC_ATTACHMENT,
        SharedFacet.CORE_ROUTES,
    ),
}
