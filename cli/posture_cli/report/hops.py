"""Lists the paths of a VPC to central endpoints hop by hop, those that are alike once. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from posture.analysis.central.answers import StepKind, StepStatus
from posture.analysis.matrix import list_row_answers
from posture_cli.hubs.relations import ORDER
from posture_cli.report.labels import fit_list
from posture_cli.report.organization_drawing import STATUS_COLOURS

Record = Mapping[str, Any]

WIDTH = 48  # characters of a list of names in a hop
# Each service has its own; they do not make a path another one.
OWN = frozenset({StepKind.ENDPOINT.value, StepKind.NAME.value})


@dataclass(frozen=True, slots=True)
class Hop:
    """A resource on the path; `colour` is that of its status."""

    about: str
    subject: str
    account: str
    colour: str
    decides: bool = False

    @property
    def returns(self) -> bool:
        """Whether it is on the way back."""
        return self.about == StepKind.RETURN_ROUTE


@dataclass(slots=True)
class HopChain:
    """The path from subnets to the endpoints of a hub, which several services share."""

    hub: str
    account: str
    hops: tuple[Hop, ...]
    colour: str
    why: str
    subnets: dict[str, None] = field(default_factory=dict)
    services: dict[str, None] = field(default_factory=dict)
    endpoints: dict[str, None] = field(default_factory=dict)

    @property
    def forward(self) -> tuple[Hop, ...]:
        """The hops from the subnets to the endpoints."""
        return tuple(each for each in self.hops if not each.returns)

    @property
    def back(self) -> tuple[Hop, ...]:
        """The hops of the way back."""
        return tuple(each for each in self.hops if each.returns)

    @property
    def source(self) -> str:
        """The subnets as one text."""
        return fit_list(list(self.subnets), WIDTH)

    @property
    def target(self) -> str:
        """The endpoints as one text."""
        return fit_list(list(self.endpoints), WIDTH)


def list_chains(record: Record) -> list[HopChain]:
    """List the paths of a recorded matrix to other VPCs, what is broken first."""
    found: dict[tuple[object, ...], HopChain] = {}
    for subnet in record["subnets"]:
        answers = list_row_answers(record, subnet["id"])
        for column, answer in zip(record["services"], answers, strict=True):
            deciding: Record = answer.get("deciding", {})
            for path in answer.get("central", ()):
                chain = _build_chain(path, deciding)
                key = chain.hub, chain.hops, chain.colour
                chain = found.setdefault(key, chain)
                chain.subnets[str(subnet["name"] or subnet["id"])] = None
                chain.services[str(column["short"])] = None
                chain.endpoints[str(path["endpoint"])] = None
    worst = [STATUS_COLOURS[each] for each in ORDER]
    return sorted(found.values(), key=lambda it: worst.index(it.colour))


def _build_chain(path: Record, deciding: Record) -> HopChain:
    """Build the chain of one path; its names and its endpoint are not hops that it shares."""
    status = StepStatus(path["status"])
    hops: list[Hop] = []
    for about, subject, state, account in path["steps"]:
        decides = (about, subject, state) == _identify(deciding)
        if (about in OWN and state == StepStatus.HOLDS) or not subject:
            continue
        colour = STATUS_COLOURS.get(str(state), "unknown")
        hop = Hop(str(about), str(subject), str(account), colour, decides)
        if hop not in hops:
            hops.append(hop)
    why = str(deciding.get("text", "")) if any(each.decides for each in hops) else ""
    return HopChain(
        str(path["vpc"]), str(path["account"]), tuple(hops), STATUS_COLOURS[status], why
    )


def _identify(deciding: Record) -> Sequence[Any]:
    return tuple(deciding.get(name) for name in ("about", "subject", "status"))
