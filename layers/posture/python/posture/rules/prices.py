"""What things cost, and estimates that say what they assume.

List prices of us-east-1 in dollars, from the pages named here; other regions
charge up to twice as much, and contracts less. No price is asked for at run time: an estimate is
there to tell cents from hundreds of dollars.
"""

from __future__ import annotations

from posture.model.verdict import Evidence

PRIVATELINK = "https://aws.amazon.com/privatelink/pricing/"
VPC = "https://aws.amazon.com/vpc/pricing/"
# Between availability zones, data for an interface endpoint is free of charge.
ZONES_FREE = (
    "https://aws.amazon.com/about-aws/whats-new/2022/04/"
    "aws-data-transfer-price-reduction-privatelink-transit-gateway-client-vpn-services/"
)

HOURS = 730  # a month
ENDPOINT_HOUR = 0.01  # an interface endpoint's network interface in one zone
ENDPOINT_GB = 0.01  # the first petabyte a month
NAT_GB = 0.045
VOLUME = 1_000  # GB a month, where nobody knows how much it is


def estimate_interface_hours(interfaces: int) -> Evidence:
    """Estimate what an endpoint's interfaces cost a month, whether they carry anything or not."""
    dollars = interfaces * HOURS * ENDPOINT_HOUR
    assumes = f"{interfaces} interfaces, {HOURS} hours a month, {ENDPOINT_HOUR} dollars an hour"
    return _estimate("Its interfaces cost", dollars, assumes, PRIVATELINK)


def estimate_nat_data() -> Evidence:
    """Estimate what a NAT gateway charges for data that a gateway endpoint carries for nothing."""
    assumes = f"{VOLUME} GB a month, {NAT_GB} dollars a GB, both ways counted"
    return _estimate("Of this traffic the NAT gateway costs", VOLUME * NAT_GB, assumes, VPC)


def estimate_interface_data() -> Evidence:
    """Estimate what an interface endpoint charges for data that a gateway endpoint does not."""
    assumes = f"{VOLUME} GB a month, {ENDPOINT_GB} dollars a GB, both ways counted"
    return _estimate(
        "Of this traffic the endpoint costs", VOLUME * ENDPOINT_GB, assumes, PRIVATELINK
    )


def _estimate(what: str, dollars: float, assumes: str, source: str) -> Evidence:
    told = f"{dollars:.2f}"
    return Evidence(
        f"{what} about {told} dollars a month, assumed: {assumes} (us-east-1, {source}).",
        {"dollars_a_month": told, "assumes": assumes, "prices": f"us-east-1, {source}"},
    )
