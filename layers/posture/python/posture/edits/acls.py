"""Applies edits of network ACLs, their entries and associations.

https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_network

from posture.edits.draft import Draft, Handlers, refuse
from posture.edits.operations.network_acls import (
    CreateNetworkAcl,
    CreateNetworkAclEntry,
    DeleteNetworkAcl,
    DeleteNetworkAclEntry,
    ReplaceNetworkAclAssociation,
    ReplaceNetworkAclEntry,
)
from posture.model.network import AclEntry, Facet, NetworkAcl

LAST_NUMBER = 32766  # the next one is the final deny
LAST_PORT = 65535
# The protocols that have ports or ICMP types, by number: an entry for them must name some.
NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": "-1"}
WITH_PORTS = {"6", "17"}
WITH_TYPES = {"1", "58"}
LAST_PROTOCOL = 255
# Entries of one direction; the quota can be raised to this.
# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
MOST_ENTRIES = 40


def _create_entry(draft: Draft, edit: CreateNetworkAclEntry) -> None:
    acl = draft.get_network_acl(edit.network_acl_id)
    entry = _build_entry(edit)
    if _find(acl, entry.number, egress=entry.egress):
        raise refuse(
            "NetworkAclEntryAlreadyExists",
            f"The network acl entry identified by {entry.number} already exists.",
        )
    own = [each for each in acl.entries if each.egress is entry.egress]
    if sum(each.number <= LAST_NUMBER for each in own) >= MOST_ENTRIES:
        raise refuse("NetworkAclEntryLimitExceeded", f"{acl.id} has {MOST_ENTRIES} entries already")
    _set_entries(draft, acl, (*acl.entries, entry))


def _replace_entry(draft: Draft, edit: ReplaceNetworkAclEntry) -> None:
    acl = draft.get_network_acl(edit.network_acl_id)
    entry = _build_entry(edit)
    old = _require(acl, entry.number, egress=entry.egress)
    _set_entries(draft, acl, (*(each for each in acl.entries if each is not old), entry))


def _delete_entry(draft: Draft, edit: DeleteNetworkAclEntry) -> None:
    acl = draft.get_network_acl(edit.network_acl_id)
    old = _require(acl, edit.rule_number, egress=edit.egress)
    _set_entries(draft, acl, (each for each in acl.entries if each is not old))


def _build_entry(edit: CreateNetworkAclEntry | ReplaceNetworkAclEntry) -> AclEntry:
    """Build an entry, and refuse what EC2 refuses.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html
    """
    if not 1 <= edit.rule_number <= LAST_NUMBER:
        raise _invalid(f"Value ({edit.rule_number}) for parameter ruleNumber is invalid.")
    if edit.rule_action not in {"allow", "deny"}:
        raise _invalid(f"Value ({edit.rule_action}) for parameter ruleAction is invalid.")
    protocol = NUMBERS.get(edit.protocol.lower(), edit.protocol)
    if protocol != "-1" and not (protocol.isdecimal() and int(protocol) <= LAST_PROTOCOL):
        raise _invalid(f"Value ({edit.protocol}) for parameter protocol is invalid.")
    cidr = edit.cidr_block or edit.ipv6_cidr_block
    if cidr is None or (edit.cidr_block and edit.ipv6_cidr_block):
        raise refuse(
            "MissingParameter" if cidr is None else "InvalidParameterCombination",
            "The request must contain exactly one of CidrBlock and Ipv6CidrBlock",
        )
    ports = edit.port_range if protocol in WITH_PORTS else None
    if protocol in WITH_PORTS:
        if ports is None:
            raise refuse("MissingParameter", "The request must contain the parameter portRange")
        if not 0 <= ports.from_ <= ports.to <= LAST_PORT:
            raise _invalid(f"Invalid port range ({ports.from_}:{ports.to})")
    if protocol in WITH_TYPES and edit.icmp_type_code is None:
        raise refuse("MissingParameter", "The request must contain the parameter icmpTypeCode")
    return AclEntry(
        edit.rule_number,
        edit.egress,
        edit.rule_action == "allow",
        protocol,
        cidr,
        ports.from_ if ports else None,
        ports.to if ports else None,
    )


def _find(acl: NetworkAcl, number: int, *, egress: bool) -> AclEntry | None:
    found = (each for each in acl.entries if (each.number, each.egress) == (number, egress))
    return next(found, None)


def _require(acl: NetworkAcl, number: int, *, egress: bool) -> AclEntry:
    found = _find(acl, number, egress=egress)
    if found is None or number > LAST_NUMBER:
        direction = "egress" if egress else "ingress"
        raise refuse(
            "InvalidNetworkAclEntry.NotFound",
            f"The {direction} entry {number} does not exist in {acl.id}",
        )
    return found


def _set_entries(draft: Draft, acl: NetworkAcl, entries: Iterable[AclEntry]) -> None:
    ordered = sorted(entries, key=lambda each: (each.egress, each.number))
    draft.network_acls[acl.id] = replace(acl, entries=tuple(ordered))


def _replace_association(draft: Draft, edit: ReplaceNetworkAclAssociation) -> None:
    new = draft.get_network_acl(edit.network_acl_id)
    old = next(
        (each for each in draft.network_acls.values() if edit.association_id in each.associations),
        None,
    )
    if old is None:
        raise refuse(
            "InvalidAssociationID.NotFound",
            f"The association ID '{edit.association_id}' does not exist in {draft.vpc.id}",
        )
    subnet_id = old.associations[edit.association_id]
    rest = {
        each: old.associations[each] for each in old.associations if each != edit.association_id
    }
    draft.network_acls[old.id] = _with_associations(old, rest)
    new = draft.network_acls[new.id]
    pairs = {**new.associations, draft.create_id("aclassoc"): subnet_id}
    draft.network_acls[new.id] = _with_associations(new, pairs)


def _with_associations(acl: NetworkAcl, associations: dict[str, str]) -> NetworkAcl:
    subnets = tuple(sorted(associations.values()))
    return replace(acl, subnet_ids=subnets, associations=dict(sorted(associations.items())))


def _create(draft: Draft, edit: CreateNetworkAcl) -> None:
    draft.require_vpc(edit.vpc_id)
    draft.require(Facet.VPC, Facet.NETWORK_ACLS)
    acl_id = draft.create_id("acl")
    families = ["0.0.0.0/0", *(["::/0"] if draft.vpc.ipv6_cidrs else [])]
    entries = tuple(
        AclEntry(LAST_NUMBER + 1 + number, egress, False, "-1", ip_network(family))
        for egress in (False, True)
        for number, family in enumerate(families)
    )
    draft.network_acls[acl_id] = NetworkAcl(acl_id, edit.vpc_id, (), {}, entries)


def _delete(draft: Draft, edit: DeleteNetworkAcl) -> None:
    acl = draft.get_network_acl(edit.network_acl_id)
    if acl.default:
        raise _invalid(f"The default network ACL {acl.id} cannot be deleted")
    if acl.associations or acl.subnet_ids:
        raise refuse(
            "DependencyViolation",
            f"The networkAcl '{acl.id}' has dependencies and cannot be deleted.",
        )
    del draft.network_acls[acl.id]


def _invalid(message: str) -> Exception:
    return refuse("InvalidParameterValue", message)


HANDLERS: Handlers = {
    CreateNetworkAclEntry: _create_entry,
    ReplaceNetworkAclEntry: _replace_entry,
    DeleteNetworkAclEntry: _delete_entry,
    ReplaceNetworkAclAssociation: _replace_association,
    CreateNetworkAcl: _create,
    DeleteNetworkAcl: _delete,
}
