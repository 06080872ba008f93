"""The work on central endpoints grows with their services, not with their square."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from organization_builders import Organization, build_baseline, build_organization
from organization_edits import SPOKE
from posture.rules.central.offers import list_offers
from posture.rules.central.use import evaluate_use
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context
from posture.rules.remediation.central_known import KnownNames
from posture.rules.remediation.central_problem import Problem
from posture.rules.rule_catalogue import VPC_RULES
from work_meter import count_lines


def keep(organization: Organization) -> Organization:
    """Change nothing: all names lead to the hub."""
    return organization


def leave_zones(organization: Organization) -> Organization:
    """Associate the spoke with no zone: no name leads to the hub."""
    spoke = replace(organization.shared.vpcs[SPOKE], zone_ids=())
    return organization.edit_shared(vpcs={SPOKE: spoke})


def empty_zones(organization: Organization) -> Organization:
    """Delete all records: the names lead nowhere."""
    zones = {name: replace(it, records=()) for name, it in organization.shared.zones.items()}
    return organization.edit_shared(zones=zones)


def know_names(vpc: VpcContext) -> None:
    """Find what could lead the names of each service to an endpoint."""
    assert vpc.shared
    for service in vpc.snapshot.services.values():
        problem = Problem(vpc, evaluate_use(vpc, service))
        names = KnownNames(problem, vpc.shared, vpc.shared.vpcs[SPOKE])
        assert names.endpoints or names.fitting_zones or "svc" not in service.name


def measure(organization: Organization) -> dict[str, int]:
    """Return the work on each rule, and on what rules and remediations ask of each service."""
    baseline, snapshot = build_baseline(organization), organization.snapshots[SPOKE]
    vpc = VpcContext(snapshot, baseline, shared=organization.shared, proposes=False)
    for service in snapshot.services.values():
        evaluate_use(vpc, service)
    vpc.coverage  # noqa: B018 - computed before the rules that share it
    works: dict[str, Callable[[], object]] = {
        "offers": lambda: [list_offers(vpc, each) for each in snapshot.services.values()],
        "known names": partial(know_names, vpc),
        **{rule.id: partial(evaluate_context, vpc, [rule]) for rule in VPC_RULES},
    }
    return {name: count_lines(work) for name, work in works.items()}


@pytest.mark.parametrize("change", [keep, leave_zones, empty_zones])
def test_the_work_grows_with_the_services(change: Callable[[Organization], Organization]) -> None:
    """Four times as many services take some four times as long, not sixteen times."""
    few, many = (
        measure(change(build_organization(services=[f"svc{at}" for at in range(count)], spokes=1)))
        for count in (30, 120)
    )
    steep = {name: (few[name], lines) for name, lines in many.items() if lines > 5 * few[name]}
    assert not steep


def test_remediations_grow_with_the_services() -> None:
    """A plan for each service is proposed, and tried for few of the others."""
    few, many = (
        VpcContext(each.snapshots[SPOKE], build_baseline(each), shared=each.shared)
        for each in (
            empty_zones(build_organization(services=[f"svc{at}" for at in range(count)], spokes=1))
            for count in (15, 60)
        )
    )
    works = [count_lines(partial(evaluate_context, each)) for each in (few, many)]
    assert works[1] <= 6 * works[0]
