"""Decide where records of a private hosted zone lead: to an endpoint, or elsewhere."""

from __future__ import annotations

from ipaddress import ip_address

from posture.analysis.central.answers import (
    CentralStep,
    NameAnswer,
    NameOutcome,
    StepKind,
    StepStatus,
)
from posture.analysis.central.combine import combine_possible
from posture.analysis.central.known_endpoints import (
    KnownEndpoint,
    contains,
    find_endpoint,
    find_endpoint_region,
    find_holders,
    get_endpoint_id,
    list_snapshots,
)
from posture.analysis.central.records import ADDRESS_TYPES, look_up, matches
from posture.analysis.central.unread import describe_unread, list_unread
from posture.analysis.endpoint_dns import list_ip_versions
from posture.lean_dataclass import dataclass
from posture.model.network import Address, Facet, Snapshot
from posture.model.shared_network import DnsRecord, HostedZone, SharedFacet, SharedNetwork

MAX_ALIASES = 8


@dataclass(frozen=True, slots=True)
class RecordAnswers:
    """The answers of records for a name that hosts of a VPC ask."""

    name: str
    asker: Snapshot
    shared: SharedNetwork

    def answer(self, record: DnsRecord, zone: HostedZone, hops: int = 0) -> list[NameAnswer]:
        """Answer by an A or AAAA record of a zone; no answer means that it returns no address."""
        what = f"record {record.name} ({record.type}) of {zone.id}"
        if not record.alias:
            found = [self._answer_address(each, zone, what) for each in record.values]
            return [combine_possible(found)] if found else []
        endpoint_id = get_endpoint_id(record.alias)
        if endpoint_id:
            text = f"{what} is an alias of {record.alias}"
            holds = CentralStep(StepKind.NAME, StepStatus.HOLDS, zone.id, text, zone.owner)
            steps = () if endpoint_id == zone.id else (holds,)  # a zone that AWS manages
            version = ADDRESS_TYPES[record.type]
            return self._answer_endpoint(record.alias, {version}, zone.owner, steps)
        if matches(record.alias, zone.name) and hops < MAX_ALIASES:
            targets = look_up(zone, record.alias).list_of(record.type)
            return [it for each in targets for it in self.answer(each, zone, hops + 1)]
        text = f"{what} is an alias of {record.alias}, which is not an endpoint"
        return [self._miss(zone.id, zone.owner, text, f"where {record.alias} leads")]

    def answer_own_name(self, query: str, account: str) -> list[NameAnswer]:
        """Answer by public DNS, which knows the own names of endpoints; no answer for another name.

        https://docs.aws.amazon.com/vpc/latest/privatelink/interface-endpoints.html#dns-name-resolution
        """
        versions = set(ADDRESS_TYPES.values())
        return self._answer_endpoint(query, versions, account) if get_endpoint_id(query) else []

    def _answer_endpoint(
        self,
        target: str,
        versions: set[int],
        owner: str,
        steps: tuple[CentralStep, ...] = (),
    ) -> list[NameAnswer]:
        """Answer with an endpoint, of which the target is the id or a DNS name.

        Args:
            target: The id or DNS name.
            versions: The IP versions that are asked for.
            owner: The account that names the endpoint.
            steps: The steps that lead to it.
        """
        endpoint_id = get_endpoint_id(target)
        known = find_endpoint(endpoint_id, self.asker, self.shared)
        if known is None:
            return [self._miss_endpoint(target, owner, steps)]
        returned = versions.intersection(list_ip_versions(known.endpoint))
        addresses = known.find_zonal_addresses(target)
        chosen = tuple(each for each in addresses if each.version in returned)
        text = f"the name leads to {endpoint_id}"
        step = CentralStep(StepKind.NAME, StepStatus.HOLDS, endpoint_id, text, known.account)
        found = NameAnswer(
            name=self.name,
            outcome=NameOutcome.ENDPOINT,
            why="; ".join(each.text for each in steps) or text,
            endpoint_ids=(endpoint_id,),
            addresses=chosen,
            versions=frozenset(returned),
            steps=(*steps, step),
        )
        return [found] if returned else []

    def _miss_endpoint(self, target: str, owner: str, steps: tuple[CentralStep, ...]) -> NameAnswer:
        """Answer for an endpoint that is not known: deleted, or in a VPC that was not evaluated.

        It counts as deleted if endpoints of the account that names it are known in its Region.
        """
        endpoint_id, region = get_endpoint_id(target), find_endpoint_region(target)
        if region not in {"", self.shared.region}:
            text = f"{endpoint_id} is in {region}, and VPCs of other Regions are not evaluated here"
            missing = f"the evaluation of {endpoint_id} in {region}"
            return self._miss(endpoint_id, owner, text, missing, steps)
        facets = [SharedFacet.CENTRAL_VPC]
        known = [each for each in self.shared.central_vpcs.values() if each.scope.account == owner]
        unread = any(Facet.ENDPOINTS in each.unreadable for each in known)
        if known and not unread and not any(list_unread(self.shared, facets, (owner,))):
            text = (
                f"{endpoint_id} is in no VPC that is watched: it was deleted, or its account is "
                "not watched"
            )
            step = CentralStep(StepKind.ENDPOINT, StepStatus.BROKEN, endpoint_id, text, owner)
            return NameAnswer(self.name, NameOutcome.NOWHERE, text, steps=(*steps, step))
        missing = describe_unread(self.shared, facets, endpoint_id)
        text = f"{endpoint_id} is in no VPC that was evaluated"
        return self._miss(endpoint_id, owner, text, missing, steps)

    def _answer_address(self, value: str, zone: HostedZone, what: str) -> NameAnswer:
        try:
            address = ip_address(value)
        except ValueError:
            text = f"{what} has the value {value!r}, which is no address"
            return self._miss(zone.id, zone.owner, text, "an address")
        holders = find_holders(address, self.asker, self.shared)
        if holders:
            return self._answer_holders(address, holders, zone, what)
        if address.is_global:
            text = f"{what} has the public address {address}"
            return self._answer_other(NameOutcome.PUBLIC, address, zone, text)
        vpcs = self._list_vpcs(address)
        unread = next((each for each in vpcs if not _is_read(each)), None)
        if unread or not vpcs:
            where = f"of {unread.vpc.id}" if unread else f"of the VPC that {address} belongs to"
            text = f"{what} has {address}, and the endpoints {where} are not known"
            missing = f"what has the address {address}"
            return self._miss(zone.id, zone.owner, text, missing)
        text = f"{what} has {address}, which no endpoint in {vpcs[0].vpc.id} has"
        return self._answer_other(NameOutcome.OTHER, address, zone, text)

    def _list_vpcs(self, address: Address) -> list[Snapshot]:
        """List the VPCs with known endpoints that an address belongs to, by the local route first.

        Central VPCs are known; an address of any other VPC may be that of an endpoint.
        """
        if contains(self.asker, address):
            return [self.asker]
        known = list_snapshots(self.asker, self.shared)
        return [each for each in known if contains(each, address)]

    def _answer_holders(
        self, address: Address, holders: tuple[KnownEndpoint, ...], zone: HostedZone, what: str
    ) -> NameAnswer:
        ids = tuple(each.endpoint.id for each in holders)
        text = f"{what} has {address}, an address of {' or '.join(ids)}"
        return NameAnswer(
            name=self.name,
            outcome=NameOutcome.ENDPOINT,
            why=text,
            endpoint_ids=ids,
            addresses=(address,),
            versions=frozenset({address.version}),
            steps=(CentralStep(StepKind.NAME, StepStatus.HOLDS, zone.id, text, zone.owner),),
        )

    def _answer_other(
        self, outcome: NameOutcome, address: Address, zone: HostedZone, text: str
    ) -> NameAnswer:
        """Answer with an address that no endpoint has."""
        private = outcome is NameOutcome.OTHER
        kind, subject = (StepKind.ENDPOINT, str(address)) if private else (StepKind.NAME, zone.id)
        step = CentralStep(kind, StepStatus.BROKEN, subject, text, zone.owner)
        return NameAnswer(
            self.name,
            outcome,
            text,
            addresses=(address,),
            versions=frozenset({address.version}),
            steps=(step,),
        )

    def _miss(
        self,
        subject: str,
        account: str,
        text: str,
        missing: str,
        steps: tuple[CentralStep, ...] = (),
    ) -> NameAnswer:
        step = CentralStep(StepKind.NAME, StepStatus.UNKNOWN, subject, text, account, missing)
        return NameAnswer(self.name, NameOutcome.UNKNOWN, text, steps=(*steps, step))


def _is_read(snapshot: Snapshot) -> bool:
    """Return whether the addresses of a VPC's endpoints are known."""
    facets = (Facet.ENDPOINTS, Facet.NETWORK_INTERFACES)
    return snapshot.unreadable.keys().isdisjoint(facets)
