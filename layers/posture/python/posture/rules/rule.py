"""What a rule is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Generic, TypeVar

from posture.analysis.coverage import Analysis, Coverage
from posture.analysis.path import Path
from posture.analysis.paths import list_gateway_services
from posture.analysis.services import list_covered_services
from posture.model.baseline import Baseline
from posture.model.endpoint_service import EndpointServiceSnapshot, ServiceFacet
from posture.model.network import (
    Endpoint,
    EndpointType,
    Facet,
    RouteTable,
    Service,
    Snapshot,
    Subnet,
)
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import Control


class Family(StrEnum):
    """The modules of the catalogue."""

    PATHS = "Paths"
    ENDPOINTS = "Endpoints"
    INTERFACES = "Interface endpoints"
    COSTS = "Costs"
    TRUST = "Trust"
    SERVICES = "Endpoint services"


@dataclass(frozen=True)
class VpcContext:
    """What a rule of a VPC reads: the picture and the requirements.

    Analyses that several rules read are cached properties here, made once a case.
    """

    snapshot: Snapshot
    baseline: Baseline

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints that are there, in the order of their ids."""
        known = sorted(self.snapshot.endpoints.items())
        return tuple(endpoint for _, endpoint in known if not endpoint.deleted)

    def endpoints_of(self, *types: EndpointType) -> tuple[Endpoint, ...]:
        """Give the endpoints of these types."""
        return tuple(each for each in self.endpoints if each.type in types)

    @cached_property
    def subnets(self) -> tuple[Subnet, ...]:
        """The subnets, in the order of their ids."""
        return tuple(subnet for _, subnet in sorted(self.snapshot.subnets.items()))

    @cached_property
    def gateway_services(self) -> tuple[Service, ...]:
        """The services that offer a gateway endpoint in this region."""
        return list_gateway_services(self.snapshot)

    @cached_property
    def analysis(self) -> Analysis:
        """The paths, names and reachability of the picture."""
        return Analysis(self.snapshot)

    @cached_property
    def coverage(self) -> Coverage:
        """The matrix of all subnets and the services that matter here."""
        services = list_covered_services(self.snapshot, self.baseline.required_services)
        return self.analysis.build_coverage(services)

    @cached_property
    def tables(self) -> Mapping[str, RouteTable | None]:
        """The route table each subnet uses, by subnet id."""
        return {subnet.id: self.analysis.paths.find_table(subnet) for subnet in self.subnets}

    @cached_property
    def users(self) -> Mapping[str, tuple[Subnet, ...]]:
        """The subnets that use each route table, by the table's id."""
        found: dict[str, tuple[Subnet, ...]] = {}
        for subnet in self.subnets:
            if table := self.tables[subnet.id]:
                found[table.id] = (*found.get(table.id, ()), subnet)
        return found

    @cached_property
    def paths(self) -> Mapping[tuple[str, str], tuple[Path, ...] | None]:
        """The ways to each gateway service, by subnet id and service name."""
        return {
            (subnet.id, service.name): self.analysis.paths.find_paths(subnet, service)
            for subnet in self.subnets
            for service in self.gateway_services
        }


@dataclass(frozen=True)
class EndpointServiceContext:
    """What a rule of an endpoint service reads."""

    snapshot: EndpointServiceSnapshot
    baseline: Baseline


ContextT = TypeVar("ContextT", VpcContext, EndpointServiceContext)


@dataclass(frozen=True, slots=True)
class RuleResult:
    """A rule's answer for one resource, before the rule signs it.

    `severity` is set only where this case is worse or milder than the rule's own. `root` says what
    is wrong at the root in words that other judgements of the same cause share.
    """

    resource: str
    status: Status
    summary: str
    evidence: tuple[Evidence, ...] = ()
    remediation: Remediation | None = None
    concerns: frozenset[str] = frozenset()
    severity: Severity | None = None
    root: str = ""


@dataclass(frozen=True, slots=True)
class Rule(Generic[ContextT]):
    """A pure function with what people need to know of it.

    `title` says in a few words what is wrong when it fails, as an alert's subject shows it;
    `requirement` says what must hold. `reads` are the facets without which the answer is unknown;
    the engine sees to that before it calls `judge`. `judge` yields one judgement for each resource
    it looked at, passes included.
    """

    id: str
    title: str
    requirement: str
    family: Family
    severity: Severity
    rationale: str
    remediation: str
    evaluate: Callable[[ContextT], Iterable[RuleResult]]
    reads: frozenset[Facet] | frozenset[ServiceFacet]
    controls: tuple[Control, ...] = ()
    references: tuple[str, ...] = field(default=())
