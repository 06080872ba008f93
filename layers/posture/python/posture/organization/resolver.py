"""Reads rules and inbound endpoints of the Route 53 Resolver, and which VPCs use the rules."""

from __future__ import annotations

from collections.abc import Iterator

from posture.model.shared_network import InboundResolver, SharedFacet, SharedNetwork, SharedVpc
from posture.organization.parse.fields import Row, get_text
from posture.organization.parse.resolver import (
    ENDING,
    IN_USE,
    INBOUND,
    STARTING,
    parse_resolver,
    parse_resolver_addresses,
    parse_rule,
)
from posture.organization.reader import Reader


def read_resolver(reader: Reader) -> SharedNetwork:
    """Read the Resolver of an account: rules that others share with it are among its own."""
    rows = reader.read_rows(SharedFacet.RULES, "ResolverRules")
    rules = {each.id: each for each in reader.parse_rows(SharedFacet.RULES, rows, parse_rule)}
    uses: dict[str, set[str]] = {}
    facet = SharedFacet.RULE_ASSOCIATIONS
    associated = reader.read_rows(facet, "ResolverRuleAssociations")
    for vpc_id, rule_id, status in reader.parse_rows(facet, associated, _parse_use):
        if status == IN_USE:
            uses.setdefault(vpc_id, set()).add(rule_id)
        elif status not in ENDING | STARTING:
            why = (
                f"the association of {rule_id} has the status {status}, which AWS does not explain"
            )
            reader.miss(facet, why, vpc_id)
    return SharedNetwork(
        region=reader.region,
        observed_at=reader.now,
        vpcs={
            vpc_id: SharedVpc(vpc_id, "", reader.region, rule_ids=tuple(sorted(rule_ids)))
            for vpc_id, rule_ids in uses.items()
        },
        rules=rules,
        resolvers={each.id: each for each in _read_resolvers(reader)},
    )


def _parse_use(row: Row) -> tuple[str, str, str]:
    return get_text(row, "VPCId"), get_text(row, "ResolverRuleId"), get_text(row, "Status")


def _read_resolvers(reader: Reader) -> Iterator[InboundResolver]:
    facet = SharedFacet.RESOLVER_ENDPOINTS
    rows = reader.read_rows(facet, "ResolverEndpoints")
    for row in reader.parse_rows(facet, rows, _select_inbound):
        resolver_id = get_text(row, "Id")
        of_addresses = SharedFacet.RESOLVER_ADDRESSES
        listed = reader.read_rows(
            of_addresses, "IpAddresses", resolver_id, ResolverEndpointId=resolver_id
        )
        found = reader.parse_rows(of_addresses, listed, parse_resolver_addresses, resolver_id)
        addresses = [address for each in found for address in each]
        yield parse_resolver(row, reader.account, addresses)


def _select_inbound(row: Row) -> Row | None:
    """Select inbound endpoints; an error names what else a row lacks."""
    parse_resolver(row, "", ())
    inbound = get_text(row, "Direction") == INBOUND
    return row if inbound and get_text(row, "Status") != "DELETING" else None
