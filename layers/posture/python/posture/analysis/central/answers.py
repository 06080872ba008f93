"""The answers about central endpoints: what a name resolves to, and a path step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from enum import StrEnum

from posture.analysis.addresses import NOTHING, AddressSet
from posture.lean_dataclass import dataclass
from posture.model.network import Address, Endpoint, NetworkInterface


class StepKind(StrEnum):
    """What one step of a path to a central endpoint depends on, in the order of the path."""

    DNS_SERVERS = "DNS servers"
    NAME = "name"
    ENDPOINT = "endpoint"
    ROUTE = "route"
    PEERING = "peering connection"
    ATTACHMENT = "attachment"
    TRANSIT_ROUTE = "transit gateway route"
    NETWORK_ACL = "network ACL"
    SECURITY_GROUP = "security group"
    RETURN_ROUTE = "return route"
    POLICY = "endpoint policy"


class StepStatus(StrEnum):
    """Whether a step lets traffic through."""

    HOLDS = "holds"
    BROKEN = "broken"
    PARTLY = "partly"  # for some addresses, names or ports only
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CentralStep:
    """One step: the resource that decides it, its account, and a clause.

    `missing` names the fact that could not be read where the step is unknown.
    """

    kind: StepKind
    status: StepStatus
    subject: str  # the id of the zone, route table, attachment, group and so on
    text: str
    account: str = ""
    missing: str = ""


class NameOutcome(StrEnum):
    """What a name resolves to."""

    ENDPOINT = "endpoint"
    PARTLY = "endpoint and elsewhere"  # by records of which any may answer
    PUBLIC = "public addresses"
    OTHER = "other private addresses"
    NOWHERE = "does not resolve"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NameAnswer:
    """What one DNS name resolves to in a VPC, with the steps that lead there.

    `endpoint_ids` are those whose interfaces the name leads to, in this VPC or a central one;
    `addresses` are given where records name addresses themselves. Several are possible answers.
    """

    name: str
    outcome: NameOutcome
    why: str
    endpoint_ids: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    versions: frozenset[int] = frozenset()
    steps: tuple[CentralStep, ...] = ()


@dataclass(frozen=True, slots=True)
class CentralPath:
    """The path from a subnet to one network interface of an endpoint in another VPC, and back.

    `sources` are the subnet's addresses, `reaching` those of them that reach the interface.
    `groups` are security groups of which a workload needs one. Nothing follows a broken step.
    """

    endpoint: Endpoint
    interface: NetworkInterface
    vpc_id: str  # of the endpoint
    account: str  # that owns it
    steps: tuple[CentralStep, ...] = ()
    sources: AddressSet = field(default=NOTHING)
    reaching: AddressSet = field(default=NOTHING)
    groups: frozenset[str] = frozenset()

    @property
    def status(self) -> StepStatus:
        """The whole: broken by any broken step, else unknown or partly by the first such step."""
        deciding = self.deciding
        return deciding.status if deciding else StepStatus.HOLDS

    @property
    def deciding(self) -> CentralStep | None:
        """The first step that decides the status; None where every step holds."""
        return find_deciding_step(self.steps)


def find_deciding_step(steps: Iterable[CentralStep]) -> CentralStep | None:
    """Find the first broken step, else the first unknown or partial one; None if all hold."""
    found: dict[StepStatus, CentralStep] = {}
    for each in steps:
        if each.status is StepStatus.BROKEN:
            return each
        if each.status is not StepStatus.HOLDS:
            found.setdefault(each.status, each)
    return found.get(StepStatus.UNKNOWN) or found.get(StepStatus.PARTLY)


def list_missing(steps: tuple[CentralStep, ...]) -> Iterator[str]:
    """List the facts that could not be read, each once."""
    return iter(dict.fromkeys(each.missing for each in steps if each.missing))
