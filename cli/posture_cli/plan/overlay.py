"""Lays what a plan changes over the rows of a region as it is. Pure.

What the plan changes is the difference between the rows of its resources before and after it.
Everything else in the region stays: a route, a rule or an endpoint that the plan does not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from posture_cli.plan.rows import DESTINATIONS, Row
from posture_cli.recorded.operations import OPERATIONS
from posture_cli.recorded.region import MissingRows

Rows = Mapping[str, Iterable[Mapping[str, Any]]]


def _by(*names: str) -> Callable[[Any], Any]:
    def key(element: Any) -> Any:
        return next(((name, element[name]) for name in names if element.get(name)), None)

    return key


def _by_whole(element: Any) -> Any:
    return json.dumps(element, sort_keys=True, default=str)


# What makes two elements of a member the same one.
ELEMENTS: Mapping[str, Callable[[Any], Any]] = {
    "Routes": _by(*DESTINATIONS),
    "Associations": _by("SubnetId", "GatewayId", "Main"),
    "Entries": lambda it: (it.get("RuleNumber"), it.get("Egress"), it.get("Cidr")),
    "CidrBlockAssociationSet": _by("CidrBlock"),
    "Ipv6CidrBlockAssociationSet": _by("Ipv6CidrBlock"),
    "PropagatingVgws": _by("GatewayId"),
    "Groups": _by("GroupId"),
    "AllowedPrincipals": _by("Principal"),
    "IpPermissions": _by_whole,
    "IpPermissionsEgress": _by_whole,
    "RouteTableIds": str,
    "SubnetIds": str,
    "NetworkInterfaceIds": str,
}
RULES = ("IpPermissions", "IpPermissionsEgress")
PEERS = {
    "IpRanges": "CidrIp",
    "Ipv6Ranges": "CidrIpv6",
    "PrefixListIds": "PrefixListId",
    "UserIdGroupPairs": "GroupId",
}


def apply_difference(base: Rows, before: Rows, after: Rows) -> dict[str, list[Row]]:
    """Return the rows of a region after a plan.

    Args:
        base: The rows as they are.
        before: The rows of the plan's resources before it.
        after: Those after it.
    """
    found = {name: [_split_rules(row) for row in listed] for name, listed in base.items()}
    for name in {*before, *after}:
        operation = OPERATIONS.get(name)
        if operation is None:
            continue
        key = operation.key or operation.id
        was, now = _index(before.get(name, ()), key), _index(after.get(name, ()), key)
        known = _index(found.get(name, ()), key)
        for each in was.keys() - now.keys():
            known.pop(each, None)
        for each, row in now.items():
            if each in known:
                known[each] = _change(known[each], was.get(each, {}), row)
            else:
                known[each] = row
        found[name] = list(known.values())
    _keep_latest(found, after)
    return found


def _index(rows: Iterable[Mapping[str, Any]], key: str) -> dict[Any, Row]:
    """Index rows by id; EC2 lists S3 twice, once for each type of endpoint."""
    return {(row.get(key), _by_whole(row.get("ServiceType"))): _split_rules(row) for row in rows}


def _split_rules(row: Mapping[str, Any]) -> Row:
    """Split the permissions of a security group by peer, so that single rules compare."""
    split = deepcopy(dict(row))
    for name in RULES:
        if name in split:
            split[name] = [each for it in split[name] for each in _split_peers(it)]
    return split


def _split_peers(permission: Mapping[str, Any]) -> Iterable[Row]:
    shared = {"IpProtocol": str(permission.get("IpProtocol", "-1"))}
    if shared["IpProtocol"] != "-1":
        ports = ("FromPort", "ToPort")
        shared |= {name: permission[name] for name in ports if permission.get(name) is not None}
    for member, key in PEERS.items():
        for peer in permission.get(member) or ():
            kept = {key: peer.get(key)}
            if member == "UserIdGroupPairs":
                names = ("VpcId", "VpcPeeringConnectionId")
                kept |= {name: peer[name] for name in names if peer.get(name)}
            yield {**shared, member: [kept]}


def _change(base: Row, before: Row, after: Row) -> Row:
    """Change the members of a row that the plan changes."""
    changed = dict(base)
    for name in {*before, *after}:
        if before.get(name) == after.get(name):
            continue
        if name in ELEMENTS:
            changed[name] = _change_elements(
                ELEMENTS[name], base.get(name) or (), before.get(name) or (), after.get(name) or ()
            )
        elif name in after:
            changed[name] = after[name]
        else:
            changed.pop(name, None)
    return changed


def _change_elements(
    key: Callable[[Any], Any], base: Sequence[Any], before: Sequence[Any], after: Sequence[Any]
) -> list[Any]:
    was = {_by_whole(each) for each in before}
    now = {_by_whole(each) for each in after}
    added = [each for each in after if _by_whole(each) not in was]
    gone = {key(each) for each in before if _by_whole(each) not in now}
    gone |= {key(each) for each in added}
    return [*(each for each in base if key(each) not in gone), *added]


def _keep_latest(rows: dict[str, list[Row]], after: Rows) -> None:
    """Let a subnet have one table and one ACL, and a VPC one main table: what the plan states."""
    for name in ("DescribeRouteTables", "DescribeNetworkAcls"):
        key = OPERATIONS[name].id
        stated = {
            (row.get("VpcId"), ELEMENTS["Associations"](link)): row[key]
            for row in after.get(name, ())
            for link in row.get("Associations", ())
        }
        for row in rows.get(name, ()):
            row["Associations"] = [
                link
                for link in row.get("Associations", ())
                if stated.get((row.get("VpcId"), ELEMENTS["Associations"](link)), row[key])
                == row[key]
            ]


def leave_out(rows: dict[str, list[Row]], base: Rows) -> list[MissingRows]:
    """Leave out operations that a base does not hold; return those of which a plan adds rows."""
    missing = []
    for name in [each for each in rows if each not in base]:
        if rows[name]:
            missing.append(MissingRows(name, f"{name} was not recorded"))
        else:
            del rows[name]
    return missing


def drop_targets(rows: Mapping[str, list[Row]], gone: frozenset[str]) -> None:
    """Turn routes whose target the plan removes into blackholes, as EC2 does."""
    for table in rows.get("DescribeRouteTables", ()):
        for route in table.get("Routes", ()):
            if gone.intersection(each for each in route.values() if isinstance(each, str)):
                route["State"] = "blackhole"


def rename_ids(value: Any, names: Mapping[str, str]) -> Any:
    """Replace ids, wherever one is a whole value."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, Mapping):
        return {key: rename_ids(each, names) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rename_ids(each, names) for each in value]
    return value


def strip_rows(rows: Rows, managed: Iterable[str]) -> dict[str, list[Row]]:
    """Return the rows that a plan does not manage, without what may belong to its resources.

    They are the ground on which the rows of the plan's resources are built, before and after it.
    """
    ids = set(managed)
    found: dict[str, list[Row]] = {}
    for name, listed in rows.items():
        operation = OPERATIONS.get(name)
        key = (operation.key or operation.id) if operation else ""
        found[name] = [_strip(row) for row in listed if not key or row.get(key) not in ids]
    return found


def _strip(row: Mapping[str, Any]) -> Row:
    kept = deepcopy(dict(row))
    for name in ELEMENTS:
        if name in kept and name not in {"CidrBlockAssociationSet", "Ipv6CidrBlockAssociationSet"}:
            kept[name] = [each for each in kept[name] if _is_given(name, each)]
    return kept


def _is_given(name: str, element: Any) -> bool:
    """Return whether an element is there from the creation: a local route, the main table."""
    if name == "Routes":
        return bool(element.get("GatewayId") == "local")
    return name == "Associations" and bool(element.get("Main"))
