"""The steps of a path to some addresses, and how those of several are merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from posture.analysis.addresses import NOTHING, AddressSet
from posture.analysis.central.answers import CentralStep, StepKind, StepStatus
from posture.lean_dataclass import dataclass
from posture.model.network import NetworkInterface


@dataclass(frozen=True, slots=True)
class Trace:
    """The steps of a path to some addresses, the sources that it has and those that arrive."""

    steps: tuple[CentralStep, ...]
    sources: AddressSet = NOTHING
    reaching: AddressSet = NOTHING
    groups: frozenset[str] = frozenset()

    @property
    def statuses(self) -> frozenset[StepStatus]:
        """The statuses of the steps."""
        return frozenset(each.status for each in self.steps)


def merge_versions(found: Sequence[Trace]) -> Trace:
    """Merge the paths of both IP versions, of which clients may use either."""
    if len(found) == 1:
        return found[0]
    broken = all(StepStatus.BROKEN in each.statuses for each in found)
    return Trace(
        tuple(
            dict.fromkeys(
                step if broken or step.status is not StepStatus.BROKEN else weaken(step)
                for each in found
                for step in each.steps
            )
        ),
        AddressSet.union(each.sources for each in found),
        AddressSet.union(each.reaching for each in found),
        frozenset(group for each in found for group in each.groups),
    )


def merge_alternatives(interface: NetworkInterface, traces: Sequence[Trace]) -> Trace:
    """Merge the answers for each address that an interface may get: what holds for all of them."""
    first = traces[0]
    broken = [StepStatus.BROKEN in each.statuses for each in traces]
    if all(broken) or all(each.statuses == {StepStatus.HOLDS} for each in traces):
        return first
    if len(traces) == 1:
        return first
    text = f"the address that {interface.id} gets in {interface.subnet_id} decides the path"
    step = CentralStep(
        StepKind.ENDPOINT,
        StepStatus.UNKNOWN,
        interface.id,
        text,
        missing=f"the address of {interface.id}",
    )
    reaching = first.reaching
    for each in traces:
        reaching &= each.reaching
    return Trace((step,), first.sources, reaching)


def weaken(step: CentralStep) -> CentralStep:
    """Return a step that stops a part only."""
    return replace(step, status=StepStatus.PARTLY)


def strengthen(steps: tuple[CentralStep, ...]) -> tuple[CentralStep, ...]:
    """Call the first step that stops a part broken, if the steps together stop all sources."""
    if any(each.status is StepStatus.BROKEN for each in steps):
        return steps
    for index, each in enumerate(steps):
        if each.status is StepStatus.PARTLY:
            broken = replace(each, status=StepStatus.BROKEN)
            return (*steps[:index], broken, *steps[index + 1 :])
    return steps


def cut_at_broken(trace: Trace) -> Trace:
    """Leave out the steps behind the first that stops all traffic, and repetitions."""
    steps: list[CentralStep] = []
    for each in dict.fromkeys(trace.steps):
        steps.append(each)
        if each.status is StepStatus.BROKEN:
            return replace(trace, steps=tuple(steps), reaching=NOTHING)
    return replace(trace, steps=tuple(steps))
