"""What a survey reads of the shared network, and how its parts become one network.

A survey reads one kind of facts in one account at a time. Several accounts may see the same fact:
the owner of a transit gateway sees the route table of an attachment, the owner of the VPC does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, TypeVar

from posture.lean_dataclass import dataclass
from posture.model.network import PrefixList
from posture.model.shared_kind import SharedKind
from posture.model.shared_network import (
    HostedZone,
    InboundResolver,
    Profile,
    ResolverRule,
    SharedNetwork,
    SharedVpc,
    TransitAttachment,
    TransitGateway,
    TransitRouteTable,
    VpcPeering,
)

Fact = TypeVar(
    "Fact",
    HostedZone,
    InboundResolver,
    PrefixList,
    Profile,
    ResolverRule,
    SharedVpc,
    TransitAttachment,
    TransitGateway,
    TransitRouteTable,
    VpcPeering,
)

# Fields whose None means that the account cannot see them; "" and () are answers there.
VISIBLE = frozenset(
    {"records", "public_fallback", "table_id", "peer", "routes", "references_groups"}
)
EMPTY: tuple[Any, ...] = (None, "", (), {})  # in the other fields: not seen by this account
# The associations of a VPC, which its own account and the owners of what is associated may see.
ASSOCIATED = ("zone_ids", "rule_ids", "profiles")


@dataclass(frozen=True, slots=True)
class SurveyPart:
    """The facts of one kind as one account sees them.

    The network holds these facts only, with what could not be read of them.
    """

    kind: SharedKind
    account: str
    network: SharedNetwork

    @property
    def observed_at(self) -> datetime:
        """The time before its first read."""
        return self.network.observed_at


def merge_parts(region: str, parts: Iterable[SurveyPart], now: datetime) -> SharedNetwork:
    """Merge the parts of a survey into one network, without snapshots of central VPCs.

    Of what several accounts see, each field is taken from the latest part that knows it.
    """
    latest_first = sorted(parts, key=lambda each: (each.observed_at, each.account), reverse=True)
    networks = [each.network for each in latest_first]
    return SharedNetwork(
        region=region,
        observed_at=min((each.observed_at for each in networks), default=now),
        accounts=frozenset[str]().union(*(each.accounts for each in networks)),
        vpcs=_merge(_merge_vpc, [each.vpcs for each in networks]),
        zones=_merge(_merge_fact, [each.zones for each in networks]),
        rules=_merge(_merge_fact, [each.rules for each in networks]),
        resolvers=_merge(_merge_fact, [each.resolvers for each in networks]),
        profiles=_merge(_merge_profile, [each.profiles for each in networks]),
        gateways=_merge(_merge_fact, [each.gateways for each in networks]),
        attachments=_merge(_merge_fact, [each.attachments for each in networks]),
        tables=_merge(_merge_fact, [each.tables for each in networks]),
        peerings=_merge(_merge_fact, [each.peerings for each in networks]),
        prefix_lists=_merge(_merge_fact, [each.prefix_lists for each in networks]),
        unread=tuple(dict.fromkeys(it for each in networks for it in each.unread)),
    )


def _merge(
    merge: Callable[[Fact, Fact], Fact], mappings: Iterable[Mapping[str, Fact]]
) -> dict[str, Fact]:
    merged: dict[str, Fact] = {}
    for mapping in mappings:
        for name, fact in mapping.items():
            known = merged.get(name)
            merged[name] = fact if known is None or known == fact else merge(known, fact)
    return merged


def _merge_fact(known: Fact, other: Fact) -> Fact:
    """Fill in what is not known of a fact by another view of it."""
    filled: dict[str, Any] = {}
    for each in fields(known):
        value, more = getattr(known, each.name), getattr(other, each.name)
        lacks = value is None if each.name in VISIBLE else value in EMPTY
        if lacks and value != more:
            filled[each.name] = more
    return replace(known, **filled) if filled else known


def _merge_vpc(known: SharedVpc, other: SharedVpc) -> SharedVpc:
    associated: dict[str, Any] = {
        name: tuple(dict.fromkeys((*getattr(known, name), *getattr(other, name))))
        for name in ASSOCIATED
    }
    return replace(_merge_fact(known, other), **associated)


def _merge_profile(known: Profile, other: Profile) -> Profile:
    """Prefer the view whose resources could be listed."""
    return known if known.resources_read or not other.resources_read else other
