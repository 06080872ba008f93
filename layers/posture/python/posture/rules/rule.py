"""Rules: pure functions with their metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from enum import StrEnum
from typing import Generic, TypeVar

from posture.lean_dataclass import dataclass
from posture.model.endpoint_service import ServiceFacet
from posture.model.network import Facet
from posture.model.verdict import Severity
from posture.rules.contexts import EndpointServiceContext, RegionAccessContext, VpcContext
from posture.rules.controls import Control, ServiceControls
from posture.rules.result import RuleResult

ContextT = TypeVar("ContextT", VpcContext, EndpointServiceContext, RegionAccessContext)


class Family(StrEnum):
    """The sections of the rule catalogue."""

    PATHS = "Paths"
    ENDPOINTS = "Endpoints"
    INTERFACES = "Interface endpoints"
    CENTRAL = "Central endpoints"
    COSTS = "Costs"
    TRUST = "Trust"
    SERVICES = "Endpoint services"
    ACCOUNTS = "Accounts"


@dataclass(frozen=True, slots=True)
class Rule(Generic[ContextT]):
    """A pure evaluation function and its documentation.

    Attributes:
        title: The problem, in the few words that an alert's subject has room for.
        requirement: The condition that compliant resources meet.
        rationale: Why a failure matters.
        evaluate: Yields one result for each resource it evaluated, passes included.
        reads: The parts of the snapshot that it needs. The engine answers unknown in its place
            when one of them could not be read.
        controls: The controls that its results help to show; none where no published text asks for
            what it checks.
        service_controls: Further controls of results about one AWS service, by its short name.
    """

    id: str
    title: str
    requirement: str
    family: Family
    severity: Severity
    rationale: str
    remediation: str
    evaluate: Callable[[ContextT], Iterable[RuleResult]]
    reads: frozenset[Facet] | frozenset[ServiceFacet] | frozenset[Facet | ServiceFacet]
    controls: tuple[Control, ...] = ()
    service_controls: ServiceControls = field(default_factory=dict, hash=False)
    references: tuple[str, ...] = field(default=())
