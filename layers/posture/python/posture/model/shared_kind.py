"""The kinds of facts of the shared network, each of which a survey reads as a whole."""

from __future__ import annotations

from enum import StrEnum


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
