"""What a rule is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from posture.model.baseline import Baseline
from posture.model.endpoint_service import EndpointServiceSnapshot, ServiceFacet
from posture.model.network import Facet, Snapshot
from posture.model.verdict import Evidence, Remediation, Severity, Status


class Family(StrEnum):
    """The modules of the catalogue."""

    PATHS = "Paths"
    ENDPOINTS = "Endpoints"
    INTERFACES = "Interface endpoints"
    TRUST = "Trust"
    SERVICES = "Endpoint services"


@dataclass(frozen=True)
class VpcCase:
    """What a rule of a VPC reads: the picture and the requirements.

    Analyses that several rules read are cached properties here, made once a case.
    """

    snapshot: Snapshot
    baseline: Baseline


@dataclass(frozen=True)
class ServiceCase:
    """What a rule of an endpoint service reads."""

    snapshot: EndpointServiceSnapshot
    baseline: Baseline


CaseT = TypeVar("CaseT", VpcCase, ServiceCase)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A rule's answer for one resource, before the rule signs it.

    `severity` is set only where this case is worse or milder than the rule's own.
    """

    resource: str
    status: Status
    summary: str
    evidence: tuple[Evidence, ...] = ()
    remediation: Remediation | None = None
    concerns: frozenset[str] = frozenset()
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """A control of a published framework that this rule helps to show."""

    framework: str  # "Security Hub", "NIST SP 800-53 r5", "PCI DSS 4.0.1"
    id: str


@dataclass(frozen=True, slots=True)
class Rule(Generic[CaseT]):
    """A pure function with what people need to know of it.

    `reads` are the facets without which the answer is unknown; the engine sees to that before it
    calls `judge`. `judge` yields one judgement for each resource it looked at, passes included.
    """

    id: str
    title: str
    family: Family
    severity: Severity
    rationale: str
    remediation: str
    judge: Callable[[CaseT], Iterable[Judgement]]
    reads: frozenset[Facet] | frozenset[ServiceFacet]
    controls: tuple[Control, ...] = ()
    references: tuple[str, ...] = field(default=())
