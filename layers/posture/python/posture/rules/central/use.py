"""How a VPC uses the central endpoints of a service: names and paths, and the step that decides.

A broken step is one finding of a VPC and a service. `required-service-without-endpoint` reports it
for a service that is required and has no endpoint in the VPC, otherwise the rule of its `Break`
does (docs/decisions/0099-one-finding-for-a-broken-step.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum

from posture.analysis.central.answers import (
    CentralPath,
    CentralStep,
    NameAnswer,
    NameOutcome,
    StepKind,
    StepStatus,
    find_deciding_step,
)
from posture.analysis.central.known_endpoints import find_endpoint
from posture.analysis.central.private_names import list_names, split_names
from posture.analysis.central.sources import Source
from posture.lean_dataclass import dataclass
from posture.model.network import Facet, Service
from posture.rules.central.policies import evaluate_policy
from posture.rules.contexts import VpcContext
from posture.rules.endpoint_lookups import AVAILABLE, AWS_SERVICE_TYPES, PENDING
from posture.rules.evidence import join_names

ORDER = {kind: number for number, kind in enumerate(StepKind)}


class Break(StrEnum):
    """What breaks the use of a central endpoint; one rule reports each."""

    NAMES = "names lead past the endpoint"
    RECORD = "a zone lacks a record"
    OVERRULED = "a zone is overruled"
    DANGLING = "a record points to a deleted endpoint"
    PATH = "the endpoint is not reachable"
    RETURN = "no path leads back"


@dataclass(frozen=True, slots=True)
class CentralUse:
    """How a VPC uses the central endpoints of a service.

    Attributes:
        service: The service.
        status: Whether every name leads to an endpoint that every subnet with workloads reaches.
        names: The answers for each name of the service.
        optional: Those of names that only clients use which are configured for it.
        paths: The paths to each central interface, by subnet.
        deciding: The first step that decides the status; None where every step holds.
        steps: The steps up to the deciding one, or those of one path where all hold.
        broken: What breaks the use; None where nothing does or something is not known.
        affected: The names or subnets that the deciding step concerns.
        endpoints: The central endpoints that names lead to, each with the id of its VPC.
        sources: The zones, rules and Profiles that concern the service's names.
    """

    service: Service
    status: StepStatus
    names: tuple[NameAnswer, ...] = ()
    optional: tuple[NameAnswer, ...] = ()
    paths: Mapping[str, tuple[CentralPath, ...]] = field(default_factory=dict)
    deciding: CentralStep | None = None
    steps: tuple[CentralStep, ...] = ()
    broken: Break | None = None
    affected: tuple[str, ...] = ()
    endpoints: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()

    @property
    def is_central(self) -> bool:
        """Whether a name leads to an endpoint in another VPC, or something is meant to do so."""
        return bool(self.endpoints or self.sources)

    @property
    def overruled(self) -> tuple[Source, ...]:
        """The sources that what decides the names takes the place of."""
        subject = self.deciding.subject if self.deciding else ""
        return tuple(each for each in self.sources if subject and each.overruled_by == subject)

    @property
    def concerns(self) -> frozenset[str]:
        """The ids of the resources that decide the answer."""
        subjects = {each.subject for each in self.steps}
        return frozenset({*subjects, *self.endpoints, *(each.id for each in self.sources)}) - {""}


def evaluate_use(vpc: VpcContext, service: Service) -> CentralUse:
    """Evaluate how a VPC uses the central endpoints of a service; computed once."""
    if service.name not in vpc.central_uses:
        vpc.central_uses[service.name] = _evaluate(vpc, service)
    return vpc.central_uses[service.name]


def list_uses(vpc: VpcContext) -> Iterator[CentralUse]:
    """List how a VPC uses the central endpoints of each service that something leads there for."""
    if vpc.shared is None:
        return
    for name in sorted(vpc.central_sources):
        use = evaluate_use(vpc, vpc.snapshot.services[name])
        if use.is_central:
            yield use


def list_lacking(vpc: VpcContext) -> frozenset[str]:
    """List the required services without an endpoint in the VPC, which one rule reports alone."""
    working = {
        each.service_name
        for each in vpc.endpoints_of(*AWS_SERVICE_TYPES)
        if each.state in {AVAILABLE, *PENDING}
    }
    forms = [{each.name for each in found} for found in vpc.required_forms.values()]
    return frozenset(name for names in forms if names.isdisjoint(working) for name in names)


def _evaluate(vpc: VpcContext, service: Service) -> CentralUse:
    names = vpc.analysis.resolve_names(service).names
    listed = list_names(vpc.snapshot, service) or tuple(each.name for each in names)
    default, _ = split_names(service, listed)
    ids = dict.fromkeys(it for each in names for it in each.endpoint_ids)
    central = [each for each in ids if each not in vpc.snapshot.endpoints]
    cells = {each.id: vpc.analysis.evaluate_cell(each, service) for each in vpc.subnets if central}
    use = CentralUse(
        service,
        StepStatus.HOLDS,
        names,
        paths={subnet_id: each.central for subnet_id, each in cells.items()},
        endpoints={each: _locate(vpc, each) for each in central},
        sources=vpc.central_sources.get(service.name, ()),
    )
    counted = [each for each in names if each.name in default]
    use = replace(use, optional=tuple(each for each in names if each.name not in default))
    if by_names := _evaluate_names(vpc, use, counted):
        return by_names
    if why := vpc.snapshot.unreadable.get(Facet.SUBNETS):
        return _miss_subnets(vpc, use, why)
    by_paths = _evaluate_paths(use, {name: each.summary for name, each in cells.items()})
    return by_paths if by_paths.deciding else _evaluate_policies(vpc, by_paths)


def _locate(vpc: VpcContext, endpoint_id: str) -> str:
    """Return the id of the VPC of an endpoint, "" if it is not known."""
    known = find_endpoint(endpoint_id, vpc.snapshot, vpc.shared) if vpc.shared else None
    return known.snapshot.vpc.id if known else ""


def _evaluate_names(
    vpc: VpcContext, use: CentralUse, names: Sequence[NameAnswer]
) -> CentralUse | None:
    """Evaluate the names of a service; None where all lead to endpoints."""
    failing = [each for each in names if each.outcome is not NameOutcome.ENDPOINT]
    certain = [each for each in failing if each.outcome is not NameOutcome.UNKNOWN]
    if not failing:
        return None
    first = (certain or failing)[0]
    step = _find_step(vpc, first)
    lost = [each for each in certain if each.outcome is not NameOutcome.PARTLY]
    whole = len(lost) == len(names)
    status = step.status
    if certain:
        status = StepStatus.BROKEN if whole else StepStatus.PARTLY
    alike = [each.name for each in failing if _find_step(vpc, each).subject == step.subject]
    return replace(
        use,
        status=status,
        deciding=step,
        steps=_list_until(first.steps, step),
        broken=_classify(vpc, use, first, step) if certain else None,
        affected=tuple(alike),
    )


def _find_step(vpc: VpcContext, answer: NameAnswer) -> CentralStep:
    """Return the step that decides a name; one of the VPC where public DNS answers it."""
    unknown = answer.outcome is NameOutcome.UNKNOWN
    status = StepStatus.UNKNOWN if unknown else StepStatus.BROKEN
    found = find_deciding_step(answer.steps)
    if found:
        return replace(found, status=status)
    snapshot = vpc.snapshot
    account = snapshot.scope.account
    return CentralStep(StepKind.NAME, status, snapshot.vpc.id, answer.why, account)


def _list_until(steps: Iterable[CentralStep], deciding: CentralStep) -> tuple[CentralStep, ...]:
    """List the steps that hold before the deciding one, and that one."""
    found: list[CentralStep] = []
    for each in steps:
        if each.status is not StepStatus.HOLDS:
            break
        found.append(each)
    return (*dict.fromkeys(found), deciding)


def _classify(vpc: VpcContext, use: CentralUse, answer: NameAnswer, step: CentralStep) -> Break:
    """Say what makes a name lead nowhere, or elsewhere."""
    if any(each.overruled_by == step.subject for each in use.sources):
        return Break.OVERRULED
    if step.kind is StepKind.DNS_SERVERS:
        return Break.NAMES
    gone = step.subject.startswith("vpce-") and not _locate(vpc, step.subject)
    if step.kind is StepKind.ENDPOINT and gone:
        return Break.DANGLING
    misnamed = any(each.misnamed for each in use.sources)
    return Break.RECORD if misnamed or answer.outcome is NameOutcome.NOWHERE else Break.NAMES


def _miss_subnets(vpc: VpcContext, use: CentralUse, why: str) -> CentralUse:
    vpc_id, account = vpc.snapshot.vpc.id, vpc.snapshot.scope.account
    text = f"the subnets of {vpc_id} could not be read: {why}"
    missing = f"ec2:{Facet.SUBNETS} in {account}"
    step = CentralStep(StepKind.ROUTE, StepStatus.UNKNOWN, vpc_id, text, account, missing)
    return replace(use, status=StepStatus.UNKNOWN, deciding=step, steps=(step,))


def _evaluate_paths(use: CentralUse, summaries: Mapping[str, str]) -> CentralUse:
    """Evaluate the paths to the interfaces that names lead to, from each subnet with workloads."""
    leading = next((each for each in use.names if each.endpoint_ids), None)
    before = leading.steps if leading else ()
    every = [(subnet_id, path) for subnet_id, found in use.paths.items() for path in found]
    missing = [subnet_id for subnet_id, found in use.paths.items() if not found]
    failing = [(name, path, path.deciding) for name, path in every if path.deciding]
    if not failing and missing:
        subject, text = missing[0], summaries[missing[0]]
        lacking = f"the network interfaces of {join_names(use.endpoints)}"
        step = CentralStep(StepKind.ROUTE, StepStatus.UNKNOWN, subject, text, missing=lacking)
        return replace(
            use,
            status=StepStatus.UNKNOWN,
            deciding=step,
            steps=(*before, step),
            affected=tuple(missing),
        )
    if not failing:
        steps = (*before, *(every[0][1].steps if every else ()))
        return replace(use, steps=tuple(dict.fromkeys(steps)))
    broken = [each for each in failing if each[2].status is not StepStatus.UNKNOWN]
    _, path, step = min(broken or failing, key=lambda each: _order(each[2]))
    affected = dict.fromkeys(each[0] for each in broken or failing)
    status = StepStatus.UNKNOWN
    if broken:
        dead = [each for each in broken if each[2].status is StepStatus.BROKEN]
        status = StepStatus.BROKEN if len(dead) == len(every) else StepStatus.PARTLY
    kind = Break.RETURN if step.kind is StepKind.RETURN_ROUTE else Break.PATH
    return replace(
        use,
        status=status,
        deciding=step,
        steps=tuple(dict.fromkeys((*before, *_list_until(path.steps, step)))),
        broken=kind if broken else None,
        affected=tuple(affected),
    )


def _evaluate_policies(vpc: VpcContext, use: CentralUse) -> CentralUse:
    """Decide whether the policies of the central endpoints let requests of the VPC's account in."""
    organization = vpc.baseline.organization
    steps: list[CentralStep] = []
    for endpoint_id in use.endpoints:
        known = find_endpoint(endpoint_id, vpc.snapshot, vpc.shared) if vpc.shared else None
        if known is None:
            continue
        step = evaluate_policy(known.endpoint, known.snapshot, vpc.snapshot, organization)
        if step:
            steps.append(step)
    use = replace(use, steps=(*use.steps, *(it for it in steps if it.status is StepStatus.HOLDS)))
    deciding = find_deciding_step(steps)
    if deciding is None:
        return use
    broken = [each for each in steps if each.status is StepStatus.BROKEN]
    status = deciding.status
    if broken and len(broken) < len(use.endpoints):
        status = StepStatus.PARTLY
    return replace(
        use,
        status=status,
        deciding=deciding,
        steps=(*use.steps, deciding),
        broken=Break.PATH if broken else None,
        affected=tuple(use.paths),
    )


def _order(step: CentralStep) -> tuple[bool, int]:
    """Order the steps that decide paths: broken ones first, then as on the path."""
    return step.status is not StepStatus.BROKEN, ORDER[step.kind]
