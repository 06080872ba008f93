"""Whom security groups admit on HTTPS, and whom they let out to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from posture.analysis.addresses import NOTHING, AddressSet
from posture.analysis.gates import HTTPS
from posture.analysis.groups import covers_port, resolve_peers
from posture.model.network import PrefixList, SecurityGroup


@dataclass(frozen=True, slots=True)
class AllowedPeers:
    """Whom an interface's groups admit on HTTPS: by address, by group, and what is not known."""

    addresses: AddressSet
    groups: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()


def find_allowed_peers(
    groups: Iterable[SecurityGroup],
    prefix_lists: Mapping[str, PrefixList],
    *,
    egress: bool = False,
) -> AllowedPeers:
    """Add up the ingress rules of groups for TCP 443, or the egress ones."""
    addresses, references, unread = NOTHING, set(), []
    for group in groups:
        for rule in group.egress if egress else group.ingress:
            if not covers_port(rule, "tcp", HTTPS):
                continue
            if rule.group is not None:
                # A group of a peered VPC is no workload's of this one.
                if rule.group.peering_id is None:
                    references.add(rule.group.group_id)
                continue
            found = resolve_peers(rule, prefix_lists)
            if found is None:
                unread.append(f"the entries of {rule.prefix_list_id}, which {group.id} admits")
            else:
                addresses |= found
    return AllowedPeers(addresses, frozenset(references), tuple(unread))
