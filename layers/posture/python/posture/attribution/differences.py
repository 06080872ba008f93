"""The differences between two snapshots of a scope, in the smallest parts that one call changes.

A part is a route, a rule, an association, an entry, or else a field or a whole resource. Ids that
EC2 chooses for associations do not count, nor do what all VPCs of a Region share and the facets
that could not be read in one of the snapshots.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, cast

from posture.lean_dataclass import dataclass
from posture.model.endpoint_service import EndpointServiceSnapshot, ServiceFacet
from posture.model.network import Endpoint, Facet, NatGateway, PrefixList, Snapshot
from posture.model.region_access import AnySnapshot, RegionAccess

# The parts of a VPC's snapshot that hold resources by id, with the facet that returns them.
RESOURCES: Mapping[str, Facet] = {
    "subnets": Facet.SUBNETS,
    "route_tables": Facet.ROUTE_TABLES,
    "endpoints": Facet.ENDPOINTS,
    "security_groups": Facet.SECURITY_GROUPS,
    "network_acls": Facet.NETWORK_ACLS,
    "nat_gateways": Facet.NAT_GATEWAYS,
    "network_interfaces": Facet.NETWORK_INTERFACES,
    "prefix_lists": Facet.PREFIX_LISTS,
}
VPC_FACETS: Mapping[str, Facet] = {
    "dns_support": Facet.DNS_ATTRIBUTES,
    "dns_hostnames": Facet.DNS_ATTRIBUTES,
    "dns_servers": Facet.DHCP_OPTIONS,
}
SERVICE_FACETS: Mapping[str, ServiceFacet] = {
    "principals": ServiceFacet.PERMISSIONS,
    "connections": ServiceFacet.CONNECTIONS,
}
WHOLE = ""  # the field of a difference in a whole resource
ASSOCIATIONS = "associations"
# `associations` says the same by id:
DERIVED = frozenset({"subnet_ids", "gateway_ids"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One part in which two snapshots differ.

    Attributes:
        part: The field of the snapshot.
        id: The id of the resource; that of the scope for what is no resource of its own.
        name: The field of the resource, WHOLE where the resource is missing in one of them.
        element: The key of the element where the field is a collection, or else None.
        after: What the second snapshot has; None where it has none.
        texts: All text on both sides, the ids among them.
    """

    part: str
    id: str
    name: str
    element: Hashable
    after: Any
    texts: frozenset[str]


# How the elements of a field are distinguished. A change of what the key leaves out is none.
KEYS: Mapping[tuple[str, str], Callable[[Any], Hashable]] = {
    ("route_tables", "routes"): lambda route: route,
    ("security_groups", "ingress"): lambda rule: replace(rule, description=""),
    ("security_groups", "egress"): lambda rule: replace(rule, description=""),
    ("network_acls", "entries"): lambda entry: entry,
    ("service", "principals"): lambda principal: principal,
    ("service", "connections"): lambda connection: connection,
}


def list_differences(
    before: AnySnapshot | None, after: AnySnapshot | None
) -> tuple[Difference, ...]:
    """List the differences between two snapshots of a scope; None where it does not exist."""
    if before is None or after is None:
        existing = before or after
        return tuple(_list_missing(before, after)) if isinstance(existing, Snapshot) else ()
    if isinstance(before, Snapshot) and isinstance(after, Snapshot):
        return tuple(_list_in_vpc(before, after))
    if isinstance(before, EndpointServiceSnapshot) and isinstance(after, EndpointServiceSnapshot):
        return tuple(_list_in_service(before, after))
    return tuple(_list_unreadable(before, after))


def make_changes(snapshot: AnySnapshot, differences: Iterable[Difference]) -> AnySnapshot:
    """Return a snapshot with the differences made in it."""
    for each in differences:
        if each.part == "unreadable":
            continue
        if isinstance(snapshot, Snapshot) and each.part in RESOURCES:
            resources = dict(getattr(snapshot, each.part))
            if each.name == WHOLE and each.after is None:
                resources.pop(each.id, None)
            elif each.name == WHOLE:
                resources[each.id] = each.after
            elif each.id in resources:
                resources[each.id] = _set_field(resources[each.id], each)
            changes: Any = {each.part: dict(sorted(resources.items()))}
            snapshot = replace(snapshot, **changes)
        elif isinstance(snapshot, Snapshot):
            snapshot = replace(snapshot, vpc=_set_field(snapshot.vpc, each))
        elif isinstance(snapshot, EndpointServiceSnapshot):
            snapshot = _set_field(snapshot, each)
    return snapshot


def list_texts(value: Any) -> Iterator[str]:
    """List all text in a value, ids among it."""
    if isinstance(value, Enum):
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from list_texts(key)
            yield from list_texts(each)
    elif isinstance(value, tuple | list | frozenset | set):
        for each in value:
            yield from list_texts(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from list_texts(getattr(value, field.name))


def _list_missing(before: AnySnapshot | None, after: AnySnapshot | None) -> Iterator[Difference]:
    """List every resource of a VPC, which one of both sides lacks."""
    for part in RESOURCES:
        was, now = (getattr(each, part) if each else {} for each in (before, after))
        yield from _list_in_part(part, was, now, {})


def _list_in_vpc(before: Snapshot, after: Snapshot) -> Iterator[Difference]:
    yield from _list_unreadable(before, after)
    unread = before.unreadable.keys() | after.unreadable.keys()
    if before.vpc != after.vpc and Facet.VPC not in unread:
        readable = {
            each.name for each in fields(before.vpc) if VPC_FACETS.get(each.name) not in unread
        }
        yield from _list_fields("vpc", before.vpc.id, before.vpc, after.vpc, readable)
    owners = _list_owners(before) | _list_owners(after)
    for part, facet in RESOURCES.items():
        was, now = getattr(before, part), getattr(after, part)
        if was is not now and facet not in unread and was != now:
            yield from _list_in_part(part, was, now, owners)


def _list_owners(snapshot: Snapshot) -> dict[str, str]:
    """List the endpoint of each network interface."""
    return {
        interface: each.id
        for each in snapshot.endpoints.values()
        for interface in each.network_interface_ids
    }


def _list_in_part(
    part: str, before: Mapping[str, Any], after: Mapping[str, Any], owners: Mapping[str, str]
) -> Iterator[Difference]:
    for name in sorted(before.keys() | after.keys()):
        was, now = _find_existing(before, name), _find_existing(after, name)
        if was is now or was == now or _is_shared(was) or _is_shared(now):
            continue
        if was is None or now is None:
            texts = {name, *list_texts(was), *list_texts(now), owners.get(name, name)}
            yield Difference(part, name, WHOLE, None, now, frozenset(texts))
            continue
        names = {each.name for each in fields(was)}
        for each in _list_fields(part, name, was, now, names):
            owner = owners.get(name)
            yield replace(each, texts=each.texts | {owner}) if owner else each


def _find_existing(resources: Mapping[str, Any], name: str) -> Any:
    """Find a resource; EC2 lists a deleted endpoint or NAT gateway for a while."""
    resource = resources.get(name)
    is_gone = isinstance(resource, Endpoint) and resource.deleted
    is_gone |= isinstance(resource, NatGateway) and resource.state == "deleted"
    return None if is_gone else resource


def _is_shared(resource: Any) -> bool:
    """Return whether all VPCs of the Region share it: a prefix list of AWS."""
    return isinstance(resource, PrefixList) and resource.aws_managed


def _list_in_service(
    before: EndpointServiceSnapshot, after: EndpointServiceSnapshot
) -> Iterator[Difference]:
    yield from _list_unreadable(before, after)
    unread = before.unreadable.keys() | after.unreadable.keys()
    names = {
        each.name
        for each in fields(before)
        if each.name not in {"scope", "observed_at", "unreadable"}
        and SERVICE_FACETS.get(each.name, ServiceFacet.CONFIGURATION) not in unread
    }
    yield from _list_fields("service", before.scope.subject, before, after, names)


def _list_unreadable(before: AnySnapshot, after: AnySnapshot) -> Iterator[Difference]:
    """List what could be read in one of the snapshots only; no call explains it."""
    was = cast("Mapping[Any, str]", before.unreadable)
    now = cast("Mapping[Any, str]", after.unreadable)
    for facet in sorted(was.keys() | now.keys()):
        differ = was.get(facet) != now.get(facet)
        if differ if isinstance(before, RegionAccess) else (facet in was) != (facet in now):
            yield Difference("unreadable", str(facet), WHOLE, None, now.get(facet), frozenset())


def _list_fields(
    part: str, name: str, before: Any, after: Any, names: Iterable[str]
) -> Iterator[Difference]:
    for field in sorted(names):
        was, now = getattr(before, field), getattr(after, field)
        if was == now or field in DERIVED:
            continue
        if field == ASSOCIATIONS:
            yield from _list_elements(part, name, field, _by_target(was), _by_target(now))
        elif key := KEYS.get((part, field)):
            was, now = {key(each): each for each in was}, {key(each): each for each in now}
            yield from _list_elements(part, name, field, was, now)
        elif field != "policy" or not _is_same_json(was, now):
            texts = frozenset({name, *list_texts(was), *list_texts(now)})
            yield Difference(part, name, field, None, now, texts)


def _list_elements(
    part: str,
    name: str,
    field: str,
    before: Mapping[Hashable, Any],
    after: Mapping[Hashable, Any],
) -> Iterator[Difference]:
    changed = sorted(before.keys() ^ after.keys(), key=repr)
    for element in changed:
        texts = {name, *list_texts(element), *list_texts(before.get(element))}
        texts |= set(list_texts(after.get(element)))
        yield Difference(part, name, field, element, after.get(element), frozenset(texts))


def _by_target(associations: Mapping[str, str]) -> dict[Hashable, str]:
    return {target: association for association, target in associations.items()}


def _set_field(resource: Any, difference: Difference) -> Any:
    name, element, after = difference.name, difference.element, difference.after
    if element is None:
        return replace(resource, **{name: after})
    if name == ASSOCIATIONS:
        return _associate(resource, str(element), after)
    key = KEYS[(difference.part, name)]
    kept = tuple(each for each in getattr(resource, name) if key(each) != element)
    return replace(resource, **{name: kept if after is None else (*kept, after)})


def _associate(resource: Any, target: str, association: str | None) -> Any:
    """Associate a route table or network ACL with a subnet or gateway, or end that."""
    others = {name: each for name, each in resource.associations.items() if each != target}
    known = others if association is None else {**others, association: target}
    subnets = tuple(sorted(each for each in known.values() if each.startswith("subnet-")))
    changes: dict[str, Any] = {"associations": known, "subnet_ids": subnets}
    if hasattr(resource, "gateway_ids"):
        kept = (each for each in resource.gateway_ids if each != target)
        is_gateway = association is not None and not target.startswith(("subnet-", "vpc-"))
        changes["gateway_ids"] = tuple(sorted({*kept, *([target] if is_gateway else [])}))
    return replace(resource, **changes)


def _is_same_json(before: str | None, after: str | None) -> bool:
    """Return whether two policies differ in white space only, which EC2 may change."""
    try:
        return before is not None and after is not None and json.loads(before) == json.loads(after)
    except (ValueError, RecursionError):
        return False
