"""What a survey of many accounts costs, as docs/scale.md says."""

from datetime import UTC, datetime

import pytest

from network_services import NetworkServices, count_calls
from organization_builders import (
    HUB_ACCOUNT,
    NAMES,
    Names,
    Organization,
    build_organization,
    get_spoke_account,
)
from posture.model.shared_kind import SharedKind
from posture.organization.survey import SurveyPlan, survey_accounts, survey_network
from written_network import write_network

NOW = datetime(2026, 11, 28, tzinfo=UTC)
SPOKES = 30
OF_SPOKE = 13  # requests
HUB_ONLY = 42  # more: records and VPCs of its zones, routes, the second pages do not count
ROUTE53 = ("ListHostedZones", "GetHostedZone", "ListResourceRecordSets", "ListHostedZonesByVPC")
RESOLVER = ("ListResolverRules", "ListResolverRuleAssociations", "ListResolverEndpoints")


@pytest.fixture(scope="module")
def organization() -> Organization:
    """A hub of 17 services whose zones are associated with every spoke."""
    return build_organization(spokes=SPOKES, names=Names.ZONES, services=tuple(NAMES))


def test_each_account_takes_a_few_requests(organization: Organization) -> None:
    """Their number grows with accounts, and in the hub with zones, not with VPCs of zones."""
    services = NetworkServices(organization.shared.region)
    services.page = 1000
    write_network(services, organization.shared)
    accounts = organization.shared.accounts
    survey_network(services.open_account, organization.shared.region, accounts, now=lambda: NOW)
    zones = len(organization.shared.zones)
    assert count_calls(services, ROUTE53) == 2 * len(accounts) + 2 * zones
    assert count_calls(services, RESOLVER) == 3 * len(accounts)
    every = sum(services.calls.values())
    assert OF_SPOKE * SPOKES < every <= OF_SPOKE * len(accounts) + HUB_ONLY
    of_spoke = {name for account, name in services.calls if account == get_spoke_account(1)}
    assert "DescribeVpcEndpointServices" not in of_spoke


@pytest.mark.parametrize(
    ("kind", "accounts", "expected"),
    [
        (SharedKind.ZONES, [HUB_ACCOUNT], 36),
        (SharedKind.TRANSIT, [HUB_ACCOUNT], 8),
        (SharedKind.TRANSIT, [HUB_ACCOUNT, get_spoke_account(1)], 11),
    ],
)
def test_a_change_takes_no_more_with_many_spokes(
    kind: SharedKind, accounts: list[str], expected: int, organization: Organization
) -> None:
    """But for the pages of a thousand rows."""
    services = NetworkServices(organization.shared.region)
    services.page = 1000
    shared = organization.shared
    write_network(services, shared)
    kinds = dict.fromkeys(accounts, frozenset({kind}))
    times = dict.fromkeys(((kind, each) for each in accounts), NOW)
    plan = SurveyPlan(shared.region, shared.accounts, kinds, shared, times)
    surveys = list(survey_accounts(services.open_account, plan, lambda: NOW))
    assert not any(each.failed for each in surveys)
    assert sum(services.calls.values()) == expected
