"""How the report shows central endpoints: VPCs that are alike once, and a path hop by hop."""

import re
from dataclasses import replace

import pytest

from organization_builders import HUB, HUB_TABLE, Organization, build_baseline, build_organization
from organization_edits import (
    drop_routes,
    drop_transit_routes,
    edit_vpc,
    edit_vpc_dns,
    forbid_reading,
)
from posture.model.shared_network import SharedFacet
from posture_cli.audit.open_tables import VpcMatrix
from posture_cli.commands.coverage import build_matrix
from posture_cli.hubs.groups import SpokeGroup, describe_groups, group_spokes
from posture_cli.hubs.relations import find_relations
from posture_cli.report.hops import list_chains
from posture_cli.report.organization_drawing import DRAWN, build_rows, draw_organization
from posture_cli.report.page import render_report
from report_material import material, read_whole


def build_matrices(organization: Organization, intact: Organization) -> list[VpcMatrix]:
    """Build the matrices of all VPCs, with the requirements of the intact organization."""
    baseline = build_baseline(intact)
    return [
        build_matrix(organization.build_context(vpc_id, baseline))
        for vpc_id in organization.snapshots
    ]


@pytest.fixture(scope="module")
def groups() -> list[SpokeGroup]:
    """Group 20 spokes, of which some are broken in different ways."""
    intact = build_organization(spokes=20, services=("kms",))
    broken = intact
    for edit in (
        drop_transit_routes(HUB_TABLE, 7),
        drop_transit_routes(HUB_TABLE, 8),
        drop_routes("vpc-spoke9"),
        drop_routes("vpc-spoke10"),
        edit_vpc_dns("vpc-spoke11", zone_ids=()),
        edit_vpc("vpc-spoke12", dns_servers=("192.168.7.53",)),
    ):
        broken = edit(broken)
    return group_spokes(find_relations(build_matrices(broken, intact)))


def test_spokes_that_are_alike_share_a_group(groups: list[SpokeGroup]) -> None:
    """What is broken comes first; what a shared resource decides is apart."""
    found = [(each.status.value, each.about, each.vpcs[:2]) for each in groups]
    assert found == [
        ("broken", "return route", ("vpc-spoke7", "vpc-spoke8")),
        ("broken", "route", ("vpc-spoke9", "vpc-spoke10")),
        ("broken", "name", ("vpc-spoke11",)),
        ("unknown", "DNS servers", ("vpc-spoke12",)),
        ("holds", "", ("vpc-spoke1", "vpc-spoke2")),
    ]
    assert len(groups[-1].vpcs) == 14
    assert groups[0].subjects == (HUB_TABLE,)
    assert groups[1].subjects == ("rtb-spoke9", "rtb-spoke10")
    assert {each.hub for each in groups} == {HUB}
    assert describe_groups(groups) == (
        "14 of 20 VPCs reach the central endpoints of 1 VPC; 5 not, or not for all services, "
        "1 unknown."
    )


def test_the_drawing_has_a_box_for_each_group(groups: list[SpokeGroup]) -> None:
    """Every line begins and ends at a box, and no two boxes overlap."""
    drawing = draw_organization(groups, "")
    assert drawing is not None
    assert [box.colour for box in drawing.boxes if box.kind == "spokes"] == [
        "bad", "bad", "bad", "unknown", "good",
    ]  # fmt: skip
    edges = {(round(box.x), round(box.y + box.height / 2)) for box in drawing.boxes}
    for edge in drawing.edges:
        numbers = [float(each) for each in re.findall(r"[\d.]+", edge.path)]
        assert (round(numbers[-2]), round(numbers[-1])) in edges
    assert max(box.y + box.height for box in drawing.boxes) <= drawing.height


def test_only_the_worst_groups_are_drawn_and_all_are_listed(groups: list[SpokeGroup]) -> None:
    """A drawing stays readable; the table below it is complete."""
    many = [*groups] * DRAWN
    drawing = draw_organization(many, "")
    assert drawing is not None
    assert sum(box.kind == "spokes" for box in drawing.boxes) == DRAWN
    assert len(build_rows(many)) == len(many)


def test_a_vpc_that_has_nothing_to_do_with_a_hub_is_not_listed() -> None:
    """Its names lead to public addresses, and no hub has an endpoint for the service."""
    intact = build_organization(services=("kms",))
    alone = edit_vpc_dns("vpc-spoke1", zone_ids=())(intact)
    kept = {key: each for key, each in alone.snapshots.items() if key == "vpc-spoke1"}
    assert find_relations(build_matrices(Organization(kept, alone.shared), intact)) == []


def test_a_path_is_shown_hop_by_hop() -> None:
    """Resources across accounts, the one that decides marked, the way back apart."""
    intact = build_organization(services=("kms", "logs"))
    broken = drop_transit_routes(HUB_TABLE, 1)(intact)
    record = build_matrices(broken, intact)[1].record
    (chain,) = list_chains(record)
    assert list(chain.services) == ["kms", "logs"]
    assert (chain.hub, chain.colour) == (HUB, "bad")
    assert [each.about for each in chain.forward][:3] == [
        "route", "attachment", "transit gateway route",
    ]  # fmt: skip
    assert [each.subject for each in chain.hops if each.decides] == [HUB_TABLE]
    assert all(each.returns for each in chain.back)
    assert HUB_TABLE in chain.why


def test_what_is_not_read_is_no_spoke_that_works() -> None:
    """Unknown is a colour of its own."""
    intact = build_organization(services=("kms",))
    unread = forbid_reading(
        SharedFacet.TRANSIT_ROUTES,
        HUB_TABLE,
        "100000000001",
        lambda it: it.edit_shared(
            tables={HUB_TABLE: type(it.shared.tables[HUB_TABLE])(HUB_TABLE, "tgw-0001", None)}
        ),
    )(intact)
    found = group_spokes(find_relations(build_matrices(unread, intact)))
    assert [(each.status.value, len(each.vpcs)) for each in found] == [("unknown", 2)]


def test_the_page_shows_both() -> None:
    """The diagram of all VPCs, and the hops in the packed part of each VPC; names are only text."""
    page = "".join(render_report(material(8, hostile=True)))
    assert 'id="central"' in page
    whole = read_whole(page)
    assert "tgw-rtb-&lt;script&gt;" in whole
    assert "tgw-rtb-<script>" not in page


def test_a_page_without_central_endpoints_has_no_such_section() -> None:
    """Nothing stands in its place."""
    data = replace(material(8), networks=())
    assert 'id="central"' not in "".join(render_report(data))
