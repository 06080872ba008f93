"""Public designs of central endpoints: intact, all traffic is private; broken, one step decides."""

from collections.abc import Iterator, Mapping

import pytest

from organization_breaks import BREAKS, Break, list_intact_variants
from organization_builders import Link, Names, Organization, build_organization
from organization_designs import (
    DESIGNS,
    build_justice,
    build_network_hub,
    build_reversed_names,
)
from organization_edits import Edit
from posture.analysis.coverage import Analysis, Cell
from posture.analysis.path_outcome import PathOutcome
from posture.model.network import Endpoint

Key = tuple[str, str, str]  # VPC, Availability Zone, service


def evaluate_cells(
    organization: Organization, endpoints: Mapping[str, Endpoint]
) -> Iterator[tuple[Key, Cell, Analysis]]:
    """Evaluate the cells of all workload subnets and of the services of these endpoints."""
    for vpc_id, snapshot in organization.snapshots.items():
        analysis = Analysis(snapshot, shared=organization.shared)
        for short, endpoint in endpoints.items():
            service = snapshot.services[endpoint.service_name]
            for subnet in snapshot.subnets.values():
                if "-tgw-" not in subnet.id:
                    key = vpc_id, subnet.zone[-1], short
                    yield key, analysis.evaluate_cell(subnet, service), analysis


def list_open(organization: Organization) -> list[tuple[Key, str]]:
    """List the cells that are not private, with their summaries."""
    return [
        (key, cell.summary)
        for key, cell, _ in evaluate_cells(organization, organization.endpoints)
        if cell.outcome is not PathOutcome.PRIVATE
    ]


@pytest.mark.parametrize("design", DESIGNS)
def test_all_traffic_of_an_intact_design_is_private(design: str) -> None:
    """No cell of a workload subnet is anything else."""
    assert list_open(DESIGNS[design]()) == []


@pytest.mark.parametrize("link", Link)
@pytest.mark.parametrize("names", Names)
def test_every_kind_of_names_works_over_every_link(names: Names, link: Link) -> None:
    """Names and routes do not depend on each other."""
    assert list_open(build_organization(names=names, link=link, spokes=3, zones="abc")) == []


@pytest.mark.parametrize("edit", list_intact_variants().values(), ids=list_intact_variants())
def test_what_only_looks_like_a_fault_is_none(edit: Edit) -> None:
    """Less specific rules, zones and routes do not count."""
    assert list_open(edit(DESIGNS["whitepaper"]())) == []


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_a_broken_link_is_the_step_that_decides(broken: Break) -> None:
    """Just the cells that depend on the link are no longer private, and they name it."""
    intact = DESIGNS[broken.design]()
    changed: set[Key] = set()
    for key, cell, _ in evaluate_cells(broken.edit(intact), intact.endpoints):
        if cell.outcome is PathOutcome.PRIVATE:
            continue
        changed.add(key)
        step = cell.deciding
        assert step is not None, cell.summary
        assert (step.kind, step.status) == (broken.step, broken.status), step
        assert step.subject in broken.subjects
        assert broken.missing in step.missing
        assert step.text
    expected = {
        (vpc_id, zone, service)
        for vpc_id in broken.vpcs
        for zone in broken.zone or "ab"
        for service in broken.services or intact.endpoints
    }
    assert changed == expected


@pytest.mark.parametrize(
    ("organization", "passed"),
    [
        # As measured from a pod in a spoke: api.ecr and eks-auth resolved to public addresses, and
        # dkr.ecr did not resolve. https://github.com/ministryofjustice/cloud-platform/issues/8226
        (build_justice(named_after_services=True), {"ecr.api", "ecr.dkr", "eks-auth"}),
        # https://github.com/awslabs/landing-zone-accelerator-on-aws/issues/173
        (build_network_hub(("kms", "ecr.api", "ecr.dkr")), {"ecr.api", "ecr.dkr"}),
        # Its names end in api.aws.
        (build_reversed_names(("ecr.api", "ecr.dkr", "eks-auth", "kms")), {"eks-auth"}),
    ],
    ids=["Ministry of Justice", "AWS network hub", "reversed names"],
)
def test_zones_with_wrong_names_lead_past_the_endpoints(
    organization: Organization, passed: set[str]
) -> None:
    """A zone that is called as the service instead of as its DNS name answers no query."""
    open_services = {service for (_, _, service), _ in list_open(organization)}
    assert open_services == passed
