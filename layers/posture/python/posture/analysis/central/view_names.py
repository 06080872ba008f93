"""Finds what names of a VPC may be resolved by: zones, Resolver rules and Profiles. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from posture.analysis.central.network_index import Named, NetworkIndex
from posture.model.network import Address
from posture.model.shared_network import SharedNetwork, SharedVpc


class ViewNames:
    """The zones, rules and Profiles that names may be resolved by, however they are forwarded."""

    def __init__(self, index: NetworkIndex) -> None:
        self._index = index
        self._shared = index.shared
        self.vpc_ids: set[str] = set()
        self.zone_ids: set[str] = set()
        self.rule_ids: set[str] = set()
        self.profile_ids: set[str] = set()
        self.resolver_ids: set[str] = set()

    @cached_property
    def named(self) -> Named:
        """The endpoints and addresses that they name."""
        named = Named()
        for name in self.zone_ids:
            named |= self._index.named_by_zone[name]
        for name in self.profile_ids:
            named |= Named(frozenset(self._shared.profiles[name].endpoint_ids))
        return named

    def follow(self, vpc_ids: Iterable[str], addresses: Iterable[Address] = ()) -> None:
        """Add what the Resolvers of VPCs and of inbound endpoints at these addresses use."""
        waiting = [*vpc_ids, *self._ask(addresses)]
        while waiting:
            vpc_id = waiting.pop()
            if vpc_id in self.vpc_ids:
                continue
            self.vpc_ids.add(vpc_id)
            vpc = self._shared.vpcs.get(vpc_id)
            if vpc is None:
                continue
            zones, rules = list_associated(self._shared, vpc)
            self.profile_ids |= {
                each.profile_id for each in vpc.profiles if each.profile_id in self._shared.profiles
            }
            self.zone_ids |= zones & self._shared.zones.keys()
            known = rules & self._shared.rules.keys()
            for name in known - self.rule_ids:
                waiting += self._ask(self._shared.rules[name].targets)
            self.rule_ids |= known

    def _ask(self, addresses: Iterable[Address]) -> Iterator[str]:
        """Yield the VPCs whose Resolvers answer at these addresses."""
        for address in addresses:
            for resolver in self._index.resolvers_at.get(address, ()):
                self.resolver_ids.add(resolver.id)
                yield resolver.vpc_id


def list_associated(shared: SharedNetwork, vpc: SharedVpc) -> tuple[set[str], set[str]]:
    """List the zones and rules that a VPC uses, also by a Profile."""
    zones, rules = set(vpc.zone_ids), set(vpc.rule_ids)
    for use in vpc.profiles:
        if profile := shared.profiles.get(use.profile_id):
            zones.update(profile.zone_ids)
            rules.update(profile.rule_ids)
    return zones, rules
