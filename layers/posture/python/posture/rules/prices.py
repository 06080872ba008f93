"""Monthly cost estimates, each with its assumptions.

The prices are the list prices of us-east-1 in US dollars, from the pages named here. Other Regions
charge up to twice as much, and private pricing is lower. Prices are not looked up at run time: an
estimate only has to show whether cents or hundreds of dollars are at stake.
"""

from __future__ import annotations

from posture.model.verdict import Evidence

PRIVATELINK = "https://aws.amazon.com/privatelink/pricing/"
VPC = "https://aws.amazon.com/vpc/pricing/"
TRANSIT_GATEWAY = "https://aws.amazon.com/transit-gateway/pricing/"
# Data transfer between an interface endpoint and other Availability Zones is free of charge.
ZONES_FREE = (
    "https://aws.amazon.com/about-aws/whats-new/2022/04/"
    "aws-data-transfer-price-reduction-privatelink-transit-gateway-client-vpn-services/"
)

HOURS = 730  # a month
ENDPOINT_HOUR = 0.01  # an interface endpoint's network interface in one zone
ENDPOINT_GB = 0.01  # the first petabyte a month
NAT_HOUR = 0.045
NAT_GB = 0.045
PUBLIC_IPV4_HOUR = 0.005
TRANSIT_HOUR = 0.05  # an attachment; AWS Cloud WAN charges 0.065
TRANSIT_GB = 0.02  # sent from a VPC; the same by AWS Cloud WAN; by VPC peering nothing in a zone
VOLUME = 1_000  # GB a month that an estimate assumes, as the actual volume is not known


def estimate_interface_hours(interfaces: int) -> Evidence:
    """Estimate the hourly charges of an endpoint's network interfaces for a month."""
    dollars = interfaces * HOURS * ENDPOINT_HOUR
    assumes = f"{interfaces} interfaces, {HOURS} hours a month, {ENDPOINT_HOUR} USD an hour"
    return _estimate("Estimated endpoint charges", dollars, assumes, PRIVATELINK)


def estimate_nat_data() -> Evidence:
    """Estimate the NAT gateway charges for data that a gateway endpoint carries at no charge."""
    assumes = f"{VOLUME} GB a month in both directions, {NAT_GB} USD a GB"
    return _estimate("Estimated NAT gateway charges", VOLUME * NAT_GB, assumes, VPC)


def estimate_interface_data() -> Evidence:
    """Estimate the endpoint charges for data that a gateway endpoint carries at no charge."""
    assumes = f"{VOLUME} GB a month in both directions, {ENDPOINT_GB} USD a GB"
    return _estimate("Estimated data charges", VOLUME * ENDPOINT_GB, assumes, PRIVATELINK)


def estimate_transit_data() -> Evidence:
    """Estimate the transit gateway's charges for data that could stay in the VPC."""
    assumes = f"{VOLUME} GB a month in both directions, {TRANSIT_GB} USD a GB"
    what = "Estimated transit gateway charges, if one is on the path"
    return _estimate(what, VOLUME * TRANSIT_GB, assumes, TRANSIT_GATEWAY)


def compare_central_charges(zones: int) -> Evidence:
    """Compare an endpoint in each VPC with a central one, for one service and VPC, for a month.

    The data charges of the endpoint are the same for both. A central one has its hourly charges
    once, and data is charged by the transit gateway in addition. The VPC's attachment is not
    counted, as it usually carries other traffic, too.
    """
    own = zones * HOURS * ENDPOINT_HOUR
    volume = own / TRANSIT_GB
    return Evidence(
        f"Cost for this service: an endpoint in the VPC is charged {own:.2f} USD a month "
        f"({zones} interfaces, {HOURS} hours, {ENDPOINT_HOUR} USD an hour). A central one is "
        f"charged {TRANSIT_GB} USD a GB by a transit gateway: {VOLUME * TRANSIT_GB:.2f} USD for "
        f"{VOLUME} GB. Both are equal at {volume:.0f} GB a month; a new attachment would add "
        f"{HOURS * TRANSIT_HOUR:.2f} USD (us-east-1 list prices, {PRIVATELINK}, "
        f"{TRANSIT_GATEWAY}).",
        {
            "own_dollars_a_month": f"{own:.2f}",
            "central_dollars_a_gb": str(TRANSIT_GB),
            "equal_at_gb_a_month": f"{volume:.0f}",
            "attachment_dollars_a_month": f"{HOURS * TRANSIT_HOUR:.2f}",
            "prices": f"us-east-1, {PRIVATELINK}, {TRANSIT_GATEWAY}",
        },
    )


def _estimate(what: str, dollars: float, assumes: str, source: str) -> Evidence:
    amount = f"{dollars:.2f}"
    return Evidence(
        f"{what}: {amount} USD a month, assuming {assumes} (us-east-1 list price, {source}).",
        {"dollars_a_month": amount, "assumes": assumes, "prices": f"us-east-1, {source}"},
    )
