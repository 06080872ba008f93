"""What a VPC's endpoints and NAT gateways are charged by the hour, in dollars a month. Pure.

Charges for data are left out: the volume is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from posture.model.network import Endpoint, EndpointType, Facet, Snapshot
from posture.rules.prices import ENDPOINT_HOUR, HOURS, NAT_HOUR, PRIVATELINK, PUBLIC_IPV4_HOUR, VPC

ENDED = frozenset({"deleted", "failed"})  # states of a NAT gateway that is not charged
NOT_CHARGED = frozenset({EndpointType.GATEWAY})
BY_ZONE = frozenset({EndpointType.INTERFACE, EndpointType.GATEWAY_LOAD_BALANCER})
READ = (Facet.ENDPOINTS, Facet.NAT_GATEWAYS)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one resource is charged a month; None for a type whose price is not known here."""

    resource: str
    assumes: str
    dollars: Decimal | None
    prices: str


@dataclass(frozen=True, slots=True)
class ChargesComparison:
    """The charges that differ, and all together, before and after; None if they are not known.

    `changed` holds pairs of which one is None if the resource does not exist there. `unknown` says
    what of the totals is not known.
    """

    before: Decimal | None = Decimal(0)
    after: Decimal | None = Decimal(0)
    changed: tuple[tuple[Charge | None, Charge | None], ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def prices(self) -> tuple[str, ...]:
        """The pages with the prices of the charges that differ."""
        return tuple(dict.fromkeys(each.prices for pair in self.changed for each in pair if each))


def compare_charges(before: Snapshot | None, after: Snapshot | None) -> ChargesComparison:
    """Compare the charges of a VPC before and after a change; None where it does not exist."""
    sides = [{} if each is None else _index(each) for each in (before, after)]
    first, last = sides
    unread = [
        f"{facet}: {snapshot.unreadable[facet]}"
        for snapshot in (before, after)
        for facet in READ
        if snapshot and facet in snapshot.unreadable
    ]
    unpriced = [
        f"{each.resource}: {each.assumes}"
        for side in sides
        for each in side.values()
        if each.dollars is None
    ]
    totals = [
        None if unread else sum((each.dollars or Decimal(0) for each in side.values()), Decimal(0))
        for side in sides
    ]
    return ChargesComparison(
        before=totals[0],
        after=totals[1],
        changed=tuple(
            (first.get(each), last.get(each))
            for each in sorted({*first, *last})
            if first.get(each) != last.get(each)
        ),
        unknown=tuple(dict.fromkeys((*unread, *unpriced))),
    )


def _index(snapshot: Snapshot) -> dict[str, Charge]:
    return {each.resource: each for each in _list_charges(snapshot)}


def _list_charges(snapshot: Snapshot) -> Iterator[Charge]:
    for endpoint in snapshot.endpoints.values():
        if not endpoint.deleted and endpoint.type not in NOT_CHARGED:
            yield _charge_endpoint(endpoint)
    for nat in snapshot.nat_gateways.values():
        if nat.state in ENDED:
            continue
        hour = NAT_HOUR + (PUBLIC_IPV4_HOUR if nat.public else 0)
        address = f" and one public IPv4 address at {PUBLIC_IPV4_HOUR}" if nat.public else ""
        assumes = f"{HOURS} hours at {NAT_HOUR} USD{address}"
        yield Charge(nat.id, assumes, _multiply(hour), VPC)


def _charge_endpoint(endpoint: Endpoint) -> Charge:
    if endpoint.type not in BY_ZONE:
        assumes = f"the price of a {endpoint.type} endpoint is not known here"
        return Charge(endpoint.id, assumes, None, PRIVATELINK)
    zones = len(endpoint.network_interface_ids or endpoint.subnet_ids)
    interfaces = "1 network interface" if zones == 1 else f"{zones} network interfaces"
    assumes = f"{interfaces}, {HOURS} hours at {ENDPOINT_HOUR} USD each"
    return Charge(endpoint.id, assumes, _multiply(zones * ENDPOINT_HOUR), PRIVATELINK)


def _multiply(hour: float) -> Decimal:
    return (Decimal(str(round(hour, 6))) * HOURS).quantize(Decimal("0.01"))
