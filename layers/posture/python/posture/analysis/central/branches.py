"""Parts of a destination, with the steps of the traffic to them."""

from __future__ import annotations

from posture.analysis.addresses import IPV6, AddressSet
from posture.analysis.central.answers import CentralStep, StepKind, StepStatus
from posture.analysis.central.ends import VpcEnd
from posture.analysis.descriptions import describe_addresses, describe_path
from posture.analysis.path import DROPPED, INTERNET, OTHER_NETWORKS, UNKNOWN_ENDS, Path, PathKind
from posture.lean_dataclass import dataclass
from posture.model.network import Facet
from posture.model.shared_network import TransitAttachment, VpcPeering

NOWHERE = DROPPED | INTERNET | {PathKind.LOCAL}  # where private addresses of another VPC are lost

Link = TransitAttachment | VpcPeering


@dataclass(frozen=True, slots=True)
class Branch:
    """Some addresses of a destination, and the steps of the traffic to them.

    It leaves one VPC by `exit` and enters the other by `entry`; None where it does not get there.
    """

    addresses: AddressSet
    steps: tuple[CentralStep, ...]
    exit: Link | None = None
    entry: Link | None = None

    @property
    def broken(self) -> bool:
        """Whether none of the traffic arrives."""
        return any(each.status is StepStatus.BROKEN for each in self.steps)


@dataclass(frozen=True, slots=True)
class Walk:
    """The VPC that traffic is followed to, whether it is return traffic, and the tables passed."""

    wanted: str
    back: bool
    tables: tuple[str, ...] = ()

    def build_step(  # noqa: PLR0913, PLR0917 - the parts of a step
        self,
        kind: StepKind,
        status: StepStatus,
        subject: str,
        text: str,
        account: str,
        missing: str = "",
    ) -> CentralStep:
        """Build a step; all steps of return traffic are of one kind."""
        found = StepKind.RETURN_ROUTE if self.back else kind
        return CentralStep(found, status, subject, text, account, missing)


def evaluate_other_path(end: VpcEnd, path: Path, walk: Walk) -> CentralStep:
    """Evaluate traffic that leaves otherwise than to another VPC."""
    named = describe_addresses(path.addresses)
    ends = {each.kind for each in path.ends}
    by_internet = ends & INTERNET and path.addresses & IPV6
    lost = ends <= NOWHERE and not by_internet
    status = StepStatus.BROKEN if lost else StepStatus.UNKNOWN
    missing = ""
    if path.kind is PathKind.NONE:
        text = f"{path.table_id} has no route to {named}"
    elif path.kind is PathKind.LOCAL:
        text = (
            f"{named} is also in the CIDR blocks of {end.vpc_id}, so {path.table_id} delivers the "
            "traffic inside the VPC"
        )
    else:
        by = f" by {path.table_id}" if path.table_id else ""
        text = f"traffic to {named} {describe_path(path)}{by}"
    if not lost:
        last = next((each for each in path.ends if each.kind not in NOWHERE), path)
        first = path if path.kind in UNKNOWN_ENDS else last
        behind = "the routes behind" if first.kind in OTHER_NETWORKS else "what is forwarded by"
        missing = last.why or f"{behind} {first.target}"
        if not path.table_id and Facet.ROUTE_TABLES in end.snapshot.unreadable:
            missing = f"ec2:{Facet.ROUTE_TABLES} in account {end.account}"
    subject = path.table_id or path.target or end.vpc_id
    return walk.build_step(StepKind.ROUTE, status, subject, text, end.account, missing)
