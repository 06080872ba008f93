"""What traffic has passed on its way to a gateway, and whether the gateway forwards it.

VPC Block Public Access blocks traffic at internet gateways, egress-only internet gateways and
carrier gateways, and so behind NAT gateways and firewall endpoints. In mode `block-ingress`, NAT
gateways and egress-only internet gateways may send. EC2 returns the mode of each subnet with the
exclusions applied, so that `block-ingress` can also stand for an egress-only exclusion, by which an
internet gateway allows outbound traffic.
https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa-basics.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_BlockPublicAccessStates.html
"""

from __future__ import annotations

from dataclasses import replace

from posture.analysis.path import INTERNET, PathKind
from posture.lean_dataclass import dataclass
from posture.model.network import NatGateway

OFF, INGRESS, BIDIRECTIONAL = "off", "block-ingress", "block-bidirectional"
ALLOWED = frozenset({"", OFF})
KNOWN = ALLOWED | {INGRESS, BIDIRECTIONAL}
FEATURE = "VPC Block Public Access"


@dataclass(frozen=True, slots=True)
class Trail:
    """The hops that traffic has passed, and the modes of VPC Block Public Access of their subnets.

    `vpc` is the VPC's mode and `source` that of the subnet whose address the traffic is from: the
    sender's, or that of the last NAT gateway, which is `nat`. `senders` are the sources before it,
    `firewalls` the subnets of the endpoints that the traffic has passed since.
    """

    vpc: str = ""
    source: str = ""
    senders: tuple[str, ...] = ()
    firewalls: tuple[str, ...] = ()
    nat: NatGateway | None = None
    hops: tuple[str, ...] = ()

    def add_nat_gateway(self, nat: NatGateway, mode: str) -> Trail:
        """Return the trail behind a NAT gateway in a subnet of this mode."""
        return replace(
            self,
            source=mode or self.vpc,
            senders=(*self.senders, self.source),
            firewalls=(),
            nat=nat,
            hops=(*self.hops, nat.id),
        )

    def add_middlebox(self, target: str, mode: str) -> Trail:
        """Return the trail behind an endpoint or appliance in a subnet of this mode."""
        firewalls = (*self.firewalls, mode or self.vpc)
        return replace(self, firewalls=firewalls, hops=(*self.hops, target))

    def leave(self, kind: PathKind) -> tuple[PathKind, str]:
        """Return where traffic to a target ends, with the reason if the target does not forward it.

        An internet gateway drops the traffic of a private NAT gateway.
        https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
        """
        if kind not in INTERNET:
            return kind, ""
        if self.nat and not self.nat.public and kind is not PathKind.EGRESS_ONLY_GATEWAY:
            why = "an internet gateway drops traffic from a private NAT gateway"
            return PathKind.BLACKHOLE, why
        if BIDIRECTIONAL in {self.source, *self.firewalls}:
            return PathKind.BLACKHOLE, f"{FEATURE}: {BIDIRECTIONAL}"
        unknown = self._find_uncertainty(kind)
        return (PathKind.UNKNOWN, unknown) if unknown else (kind, "")

    def _find_uncertainty(self, kind: PathKind) -> str:
        """Return why it is not known whether traffic is blocked; "" if it is not blocked."""
        modes = {self.vpc, self.source, *self.senders, *self.firewalls}
        if unknown := sorted(modes - KNOWN):
            return f"{FEATURE} is in the mode {unknown[0]}, which this version does not know"
        if BIDIRECTIONAL in self.senders:
            return f"{FEATURE} blocks the sender's subnet and not that of {self.hops[-1]}"
        egress_only = self.nat is not None or kind is PathKind.EGRESS_ONLY_GATEWAY
        if self.source == INGRESS and not egress_only:
            return f"{FEATURE}: {INGRESS}, which an exclusion for outbound traffic also shows"
        if self.firewalls and self.vpc not in ALLOWED and not (self.vpc == INGRESS and egress_only):
            return f"{FEATURE} excludes the subnet, but may block traffic of {self.hops[-1]}"
        return ""
