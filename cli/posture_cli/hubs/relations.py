"""Find which VPCs use whose central endpoints, from their coverage matrices. Pure.

A spoke whose names lead nowhere has no path to a hub. It belongs to the hub that serves others with
the same service, if there is just one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from posture.analysis.central.answers import StepKind, StepStatus
from posture.analysis.matrix import list_row_answers
from posture.model.scope import Scope
from posture_cli.audit.open_tables import VpcMatrix

Record = Mapping[str, Any]

# The worst first.
ORDER = (StepStatus.BROKEN, StepStatus.UNKNOWN, StepStatus.PARTLY, StepStatus.HOLDS)
LINKS = (StepKind.TRANSIT_ROUTE, StepKind.PEERING, StepKind.ATTACHMENT)


@dataclass(frozen=True, slots=True)
class Relation:
    """How a VPC uses the central endpoints of another, for some services.

    Attributes:
        scope: The VPC whose subnets send the traffic.
        name: Its name; "" if it has none.
        hub: The VPC with the endpoints; "" if the names lead to none and several may be meant.
        hub_account: The account that owns the hub.
        link: What connects them: a route table of a transit gateway, a peering connection.
        services: The short names of the services.
        status: Whether the path holds.
        step: The record of the step that decides; empty if all hold.
    """

    scope: Scope
    name: str
    hub: str
    hub_account: str
    link: str
    services: tuple[str, ...]
    status: StepStatus
    step: Record

    @property
    def sort_key(self) -> tuple[object, ...]:
        """Sort what is broken first."""
        return ORDER.index(self.status), self.hub, str(self.scope), self.services

    def build_record(self) -> dict[str, Any]:
        """Build the record that commands print."""
        step = self.step
        return {
            "account": self.scope.account,
            "region": self.scope.region,
            "vpc": self.scope.subject,
            "name": self.name,
            "hub": self.hub,
            "hub_account": self.hub_account,
            "link": self.link,
            "services": ", ".join(self.services),
            "status": self.status.value,
            "step": step.get("about", ""),
            "subject": step.get("subject", ""),
            "subject_account": step.get("account", ""),
            "why": step.get("text", ""),
            "missing": step.get("missing", ""),
        }


@dataclass(frozen=True, slots=True)
class _Use:
    """The use of one service, as an answer of a matrix has it.

    `step` is what its step is about, its status and its subject. Its sentence may name the blocks
    of each subnet, which make no other use.
    """

    hub: str
    hub_account: str
    link: str
    step: tuple[str, ...]


def find_relations(matrices: Iterable[VpcMatrix]) -> list[Relation]:
    """Find how VPCs use central endpoints, what is broken first."""
    return place_uses(each for matrix in matrices for each in find_uses(matrix))


def place_uses(uses: Iterable[Relation]) -> list[Relation]:
    """Find the hubs of what VPCs use alone; what no hub has an endpoint of is left out."""
    found = list(uses)
    hubs: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for each in found:
        if each.hub:
            for service in each.services:
                hubs[each.scope.region, service].add((each.hub, each.hub_account))
    placed = (_place(each, hubs) for each in found)
    return sorted((each for each in placed if each), key=lambda it: it.sort_key)


def _place(
    relation: Relation, hubs: Mapping[tuple[str, str], set[tuple[str, str]]]
) -> Relation | None:
    """Add the hub that serves others; None if no hub has an endpoint of the services."""
    if relation.hub:
        return relation
    served = [each for each in relation.services if (relation.scope.region, each) in hubs]
    if not served:
        return None
    meant = set.union(*(hubs[relation.scope.region, each] for each in served))
    hub, account = next(iter(meant)) if len(meant) == 1 else ("", "")
    return replace(relation, services=tuple(served), hub=hub, hub_account=account)


def find_uses(matrix: VpcMatrix) -> Iterator[Relation]:
    """Find what one VPC uses; services that are used alike share one relation."""
    record = matrix.record
    services: dict[_Use, dict[str, None]] = defaultdict(dict)
    steps: dict[_Use, Record] = {}
    for subnet in record.get("subnets", ()):
        answers = list_row_answers(record, subnet["id"])
        for column, answer in zip(record["services"], answers, strict=True):
            for use in _list_uses(answer):
                services[use][str(column["short"])] = None
                steps.setdefault(use, answer.get("deciding", {}))
    for use, named in services.items():
        step = steps[use]
        yield Relation(
            matrix.scope,
            str(record.get("name") or ""),
            use.hub,
            use.hub_account,
            use.link,
            tuple(named),
            StepStatus(step["status"]) if step else StepStatus.HOLDS,
            step,
        )


def _list_uses(answer: Record) -> Iterator[_Use]:
    step = answer.get("deciding", {})
    key = tuple(str(step[name]) for name in ("about", "status", "subject") if step)
    paths: Sequence[Record] = answer.get("central", ())
    for path in paths:
        yield _Use(str(path["vpc"]), str(path["account"]), _find_link(path), key)
    if step and not paths:
        yield _Use("", "", "", key)


def _find_link(path: Record) -> str:
    """Find what connects the VPCs: the table or connection that the traffic passes first."""
    steps = {about: subject for about, subject, *_ in reversed(path["steps"])}
    return next((str(steps[kind.value]) for kind in LINKS if kind.value in steps), "")
