"""What an account may not read is unknown to the rules: no finding is made up of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

import organization_designs as designs
from network_services import NetworkServices
from organization_builders import HUB_ACCOUNT, Organization
from posture.model.shared_network import SharedFacet
from posture.model.verdict import Status
from posture.organization.survey import survey_network
from written_network import write_network

NOW = datetime(2026, 11, 28, tzinfo=UTC)
# The operations that are denied in each design.
AREAS = {
    designs.build_accelerator: ("route53:", "ec2:"),
    designs.build_justice: ("route53profiles:",),
    designs.build_forwarding: ("route53resolver:",),
    designs.build_core_network: ("networkmanager:",),
    designs.build_peered_whitepaper: ("ec2:DescribeVpcPeeringConnections", "ec2:DescribeVpcs"),
}

Statuses = dict[tuple[str, str, str], Status]


def evaluate(organization: Organization, services: NetworkServices) -> Statuses:
    """Evaluate all VPCs with what a survey reads; return the statuses by VPC, rule and resource."""
    shared = organization.shared
    found = survey_network(services.open_account, shared.region, shared.accounts, now=lambda: NOW)
    surveyed = replace(organization, shared=replace(found, central_vpcs=shared.central_vpcs))
    return {
        (vpc_id, each.rule, each.resource): each.status
        for vpc_id in surveyed.snapshots
        for each in surveyed.evaluate(vpc_id)
    }


@pytest.mark.parametrize("build", AREAS, ids=lambda build: build.__name__)
def test_a_denied_read_fails_no_rule(build: Callable[[], Organization]) -> None:
    """An intact design has no finding, whichever read is denied in the hub or in the spokes.

    Somewhere it is noticed, unless another account sees the same fact.
    """
    organization = build()
    services = NetworkServices(organization.shared.region)
    write_network(services, organization.shared)
    intact = evaluate(organization, services)
    assert not {Status.FAIL, Status.UNKNOWN} & set(intact.values())
    called = {name for _, name in services.calls}
    noticed = 0
    for facet in (each for each in SharedFacet if each.startswith(AREAS[build])):
        operation = facet.partition(":")[2]
        for in_hub in (True, False) if operation in called else ():
            services.errors.clear()
            for account in organization.shared.accounts:
                if (account == HUB_ACCOUNT) is in_hub:
                    services.fail(account, "AccessDenied", operation)
            found = evaluate(organization, services)
            failed = [key for key, status in found.items() if status is Status.FAIL]
            assert not failed, (facet, in_hub)
            noticed += Status.UNKNOWN in found.values()
    assert noticed
