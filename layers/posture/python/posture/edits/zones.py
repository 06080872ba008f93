"""Applies edits of private hosted zones, their records and the VPCs that they are associated with.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zones-private.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from posture.edits.draft import Handlers, refuse
from posture.edits.shared_draft import SharedDraft
from posture.edits.shared_edit import (
    AssociateVPCWithHostedZone,
    ChangeResourceRecordSets,
    CreateHostedZone,
    CreateVPCAssociationAuthorization,
    DisassociateVPCFromHostedZone,
    HostedVpc,
    RecordChange,
    ResourceRecordSet,
)
from posture.errors import RefusedEditError, UndecidedEditError
from posture.model.shared_network import DnsRecord, HostedZone, SharedVpc

NAME = re.compile(r"(?=.{1,255}$)(\*\.)?([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}", re.IGNORECASE)
APEX_TYPES = {"SOA", "NS"}
# What a record set states that makes its routing policy another one than `simple`.
POLICIES = {
    "weight": "weighted",
    "region": "latency",
    "failover": "failover",
    "geo_location": "geolocation",
    "multi_value_answer": "multivalue",
}
ADDRESSES = {"A": IPv4Address, "AAAA": IPv6Address}


def _create_zone(draft: SharedDraft, edit: CreateHostedZone) -> None:
    config = edit.hosted_zone_config
    if edit.vpc is None or (config and config.private_zone is False):
        raise UndecidedEditError(f"{edit.name}: only private hosted zones, with a VPC, are known")
    name = _normalize(edit.name)
    if not NAME.fullmatch(name):
        raise refuse("InvalidDomainName", f"The domain name {edit.name} is not valid.")
    vpc = _get_vpc(draft, edit.vpc)
    zone = HostedZone(draft.create_id("Z"), name, vpc.account, records=())
    _refuse_conflict(draft, zone, vpc)
    draft.zones[zone.id] = zone
    _set_zones(draft, vpc, (*vpc.zone_ids, zone.id))


def _authorize(draft: SharedDraft, edit: CreateVPCAssociationAuthorization) -> None:
    """Allow an association; the VPC may belong to any account, and is not looked up."""
    draft.authorized.add((draft.get_zone(edit.hosted_zone_id).id, edit.vpc.vpc_id))


def _associate(draft: SharedDraft, edit: AssociateVPCWithHostedZone) -> None:
    """Associate a VPC, which needs an authorization if the zone is another account's.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-associate-vpcs-different-accounts.html
    """
    zone, vpc = draft.get_zone(edit.hosted_zone_id), _get_vpc(draft, edit.vpc)
    _refuse_conflict(draft, zone, vpc)
    if zone.owner != vpc.account and (zone.id, vpc.id) not in draft.authorized:
        draft.assume(
            f"account {zone.owner or 'of the zone'} has authorized the association of {vpc.id} "
            f"with {zone.id}"
        )
    _set_zones(draft, vpc, (*vpc.zone_ids, zone.id))


def _disassociate(draft: SharedDraft, edit: DisassociateVPCFromHostedZone) -> None:
    zone, vpc = draft.get_zone(edit.hosted_zone_id), _get_vpc(draft, edit.vpc)
    if zone.id not in vpc.zone_ids:
        raise refuse(
            "VPCAssociationNotFound",
            f"The specified VPC {vpc.id} is not associated with the hosted zone {zone.id}.",
        )
    if not any(zone.id in each.zone_ids for each in draft.vpcs.values() if each.id != vpc.id):
        raise refuse(
            "LastVPCAssociation",
            f"{vpc.id} is the only VPC that is known to be associated with {zone.id}; the last VPC "
            "cannot be disassociated from a private hosted zone.",
        )
    _set_zones(draft, vpc, (each for each in vpc.zone_ids if each != zone.id))


def _get_vpc(draft: SharedDraft, named: HostedVpc) -> SharedVpc:
    vpc = draft.get_vpc(named.vpc_id)
    if vpc.region != named.vpc_region:
        raise refuse(
            "InvalidVPCId", f"The VPC ID {vpc.id} is not valid in the region {named.vpc_region}."
        )
    return vpc


def _set_zones(draft: SharedDraft, vpc: SharedVpc, zone_ids: Iterable[str]) -> None:
    draft.vpcs[vpc.id] = replace(vpc, zone_ids=tuple(sorted(zone_ids)))


def _refuse_conflict(draft: SharedDraft, zone: HostedZone, vpc: SharedVpc) -> None:
    """Refuse a second zone of one name, or one of an endpoint's private DNS name.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_AssociateVPCWithHostedZone.html
    """
    for zone_id in vpc.zone_ids:
        other = draft.zones.get(zone_id)
        if zone_id == zone.id or (other and other.name == zone.name):
            raise refuse(
                "ConflictingDomainExists",
                f"The VPC {vpc.id} in region {vpc.region} has already been associated with the "
                f"hosted zone {zone_id} with the same domain name.",
            )
    if endpoint_id := _find_private_dns(draft, zone.name, vpc.id):
        raise refuse(
            "ConflictingDomainExists",
            f"The VPC {vpc.id} in region {vpc.region} has already been associated with the domain "
            f"{zone.name} by private DNS of {endpoint_id}.",
        )


def _find_private_dns(draft: SharedDraft, name: str, vpc_id: str) -> str:
    """Find the endpoint of a VPC whose private DNS has a zone of a name; "" if none has."""
    network = draft.drafts.get(vpc_id)
    if network is None:
        draft.assume(f"no endpoint of {vpc_id} has private DNS for {name}")
        return ""
    for endpoint in network.endpoints.values():
        service = network.snapshot.services.get(endpoint.service_name)
        names = service.private_dns_names if service and endpoint.private_dns else ()
        if not endpoint.deleted and name in {each.removeprefix("*.") for each in names}:
            return endpoint.id
    return ""


def _change_records(draft: SharedDraft, edit: ChangeResourceRecordSets) -> None:
    """Change records, all or none.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
    """
    zone = draft.get_zone(edit.hosted_zone_id)
    if zone.records is None:
        raise UndecidedEditError(f"the records of {zone.id} ({zone.name}) could not be read")
    if not edit.change_batch.changes:
        raise refuse("InvalidInput", "The change batch must contain at least one change.")
    records = list(zone.records)
    for change in edit.change_batch.changes:
        _change_record(draft, zone, records, change)
    ordered = sorted(records, key=lambda each: (each.name, each.type, each.values, each.alias))
    draft.zones[zone.id] = replace(zone, records=tuple(ordered))


def _change_record(
    draft: SharedDraft, zone: HostedZone, records: list[DnsRecord], change: RecordChange
) -> None:
    new = _build_record(draft, zone, change.resource_record_set)
    same = [each for each in records if (each.name, each.type) == (new.name, new.type)]
    named = f"[name='{new.name}.', type='{new.type}']"
    match change.action:
        case "CREATE":
            if any(not (each.policy and each.policy == new.policy) for each in same):
                raise _invalid(f"Tried to create resource record set {named} but it already exists")
            _refuse_cname(zone, records, new)
            records.append(new)
        case "UPSERT":
            if any(each.policy or new.policy for each in same):
                raise UndecidedEditError(
                    f"{new.name}: which of the records with a routing policy is meant is not known"
                )
            records[:] = [each for each in records if each not in same]
            _refuse_cname(zone, records, new)
            records.append(new)
        case "DELETE":
            if new not in same:
                raise _invalid(f"Tried to delete resource record set {named} but it was not found")
            if new.name == zone.name and new.type in APEX_TYPES:
                raise _invalid(f"A HostedZone must contain the {new.type} record at its apex.")
            records.remove(new)
        case other:
            raise refuse("InvalidInput", f"{other}: expected CREATE, DELETE or UPSERT.")


def _build_record(draft: SharedDraft, zone: HostedZone, stated: ResourceRecordSet) -> DnsRecord:
    """Build a record, and refuse what Route 53 refuses."""
    name, kind = _require_name(zone, stated), stated.type
    if bool(stated.resource_records) is (stated.alias_target is not None):
        raise refuse("InvalidInput", "Expected exactly one of ResourceRecords and AliasTarget.")
    if stated.alias_target is None and stated.ttl is None:
        raise refuse("InvalidInput", f"Missing field 'TTL' in record set {name}.")
    policy = _find_policy(stated)
    if bool(policy) is not bool(stated.set_identifier):
        raise refuse(
            "InvalidInput",
            f"Record set {name}: a routing policy and SetIdentifier belong together.",
        )
    values = tuple(each.value for each in stated.resource_records)
    if kind in ADDRESSES:
        _require_addresses(kind, values)
    alias = _normalize(stated.alias_target.dns_name) if stated.alias_target else ""
    if alias:
        _require_alias_target(draft, zone, stated, alias)
    if kind == "CNAME":
        values = tuple(map(_normalize, values))
    elif kind not in ADDRESSES:
        values = ()  # they lead to no address, and are not kept
    return DnsRecord(name, kind, tuple(sorted(values)), alias, policy)


def _require_name(zone: HostedZone, stated: ResourceRecordSet) -> str:
    name = _normalize(stated.name)
    if not NAME.fullmatch(name):
        raise _invalid(f"FATAL problem: DomainLabel error encountered with '{stated.name}'")
    if not f".{name}".endswith(f".{zone.name}"):
        raise _invalid(f"RRSet with DNS name {name}. is not permitted in zone {zone.name}.")
    if stated.type == "CNAME" and name == zone.name:
        raise _invalid(
            f"RRSet of type CNAME with DNS name {name}. is not permitted at apex in zone "
            f"{zone.name}."
        )
    return name


def _find_policy(stated: ResourceRecordSet) -> str:
    """Find the routing policy of a record set; "" for a simple one."""
    given = [policy for member, policy in POLICIES.items() if getattr(stated, member) is not None]
    if len(given) > 1:
        raise refuse("InvalidInput", f"Expected one routing policy, not {', '.join(given)}.")
    return given[0] if given else ""


def _require_addresses(kind: str, values: Iterable[str]) -> None:
    for value in values:
        try:
            ADDRESSES[kind](value)
        except ValueError:
            raise _invalid(
                f"Invalid Resource Record: 'FATAL problem: {kind} record with value {value}'"
            ) from None


def _require_alias_target(
    draft: SharedDraft, zone: HostedZone, stated: ResourceRecordSet, alias: str
) -> None:
    """Refuse an alias to a record of the same zone that does not exist."""
    assert stated.alias_target  # noqa: S101 - its name is the alias
    target = draft.zones.get(stated.alias_target.hosted_zone_id.removeprefix("/hostedzone/"))
    if target is None or target.id != zone.id:
        return  # a zone of AWS, such as that of endpoints, which no account can read
    if not any((each.name, each.type) == (alias, stated.type) for each in target.records or ()):
        raise _invalid(
            f"Tried to create an alias that targets {alias}., type {stated.type} in zone "
            f"{target.id}, but the alias target name does not exist"
        )


def _refuse_cname(zone: HostedZone, records: Iterable[DnsRecord], new: DnsRecord) -> None:
    """Refuse a CNAME beside another record of its name."""
    others = [each for each in records if each.name == new.name and each.type != new.type]
    if others and "CNAME" in {new.type, *(each.type for each in others)}:
        raise _invalid(
            f"RRSet of type {new.type} with DNS name {new.name}. is not permitted as it conflicts "
            f"with other records with the same DNS name in zone {zone.name}."
        )


def _normalize(name: str) -> str:
    """Return a name in lower case, without the dot at its end; Route 53 escapes an asterisk."""
    return name.lower().removesuffix(".").replace("\\052", "*")


def _invalid(message: str) -> RefusedEditError:
    return refuse("InvalidChangeBatch", f"[{message}]")


HANDLERS: Handlers = {
    CreateHostedZone: _create_zone,
    CreateVPCAssociationAuthorization: _authorize,
    AssociateVPCWithHostedZone: _associate,
    DisassociateVPCFromHostedZone: _disassociate,
    ChangeResourceRecordSets: _change_records,
}
