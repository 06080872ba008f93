"""All rules on public designs: intact, none fails; broken, a finding names the cause."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from network_builders import verdict_text
from organization_breaks import BREAKS, KMS_NAME, Break, list_intact_variants
from organization_builders import (
    HUB,
    HUB_ACCOUNT,
    MEMBERS,
    Link,
    Names,
    Organization,
    build_baseline,
    build_organization,
    get_spoke_account,
)
from organization_designs import DESIGNS
from organization_edits import KMS_ZONE, Edit, edit_endpoint, edit_records
from posture.model.network import Endpoint
from posture.model.shared_network import DnsRecord
from posture.model.verdict import Status, Verdict

BAD = frozenset({Status.FAIL, Status.UNKNOWN})


def list_bad(organization: Organization, intact: Organization) -> dict[str, list[Verdict]]:
    """List what fails or is unknown, by VPC, with the requirements of the intact organization."""
    baseline = build_baseline(intact)
    found = {
        vpc_id: [it for it in organization.evaluate(vpc_id, baseline) if it.status in BAD]
        for vpc_id in organization.snapshots
    }
    return {vpc_id: verdicts for vpc_id, verdicts in found.items() if verdicts}


@pytest.mark.parametrize("design", DESIGNS)
def test_an_intact_design_has_no_finding(design: str) -> None:
    """Hub and spokes pass all rules, without any waiver."""
    intact = DESIGNS[design]()
    assert list_bad(intact, intact) == {}


@pytest.mark.parametrize("link", Link)
@pytest.mark.parametrize("names", Names)
def test_names_and_links_in_every_combination_have_no_finding(names: Names, link: Link) -> None:
    """No rule depends on how names reach the spokes, or on what connects them."""
    intact = build_organization(names=names, link=link)
    assert list_bad(intact, intact) == {}


@pytest.mark.parametrize("edit", list_intact_variants().values(), ids=list_intact_variants())
def test_what_only_looks_like_a_fault_is_no_finding(edit: Edit) -> None:
    """Less specific rules, zones and routes do not count."""
    intact = DESIGNS["whitepaper"]()
    assert list_bad(edit(intact), intact) == {}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_a_finding_names_the_step_that_decides(broken: Break) -> None:
    """Each VPC that the broken link concerns has a finding, and no other has one.

    The hub may have none of its own: its endpoints are in it whatever the names say.
    """
    intact = DESIGNS[broken.design]()
    bad = list_bad(broken.edit(intact), intact)
    assert set(broken.vpcs) - {HUB} <= set(bad) <= set(broken.vpcs)
    for vpc_id in set(broken.vpcs) - {HUB}:
        texts = list(map(verdict_text, bad[vpc_id]))
        assert all("internal error" not in text for text in texts)
        assert any(subject in text for text in texts for subject in broken.subjects)
        facts = [each.evidence[0].text for each in bad[vpc_id] if each.evidence]
        assert any(subject in fact for fact in facts for subject in broken.subjects)
        assert any(broken.missing in text for text in texts)
        shown = {it.status for it in bad[vpc_id]}
        assert Status.UNKNOWN in shown if broken.missing else shown


def build_policy(**condition: dict[str, str]) -> str:
    """Build the policy of a hub for members of the organization, with a statement that denies."""
    denied = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    return json.dumps({"Statement": [MEMBERS, {**denied, "Condition": condition}]})


@pytest.mark.parametrize(
    ("policy", "vpcs"),
    [
        (
            build_policy(StringNotEquals={"aws:PrincipalAccount": HUB_ACCOUNT}),
            {"vpc-spoke1", "vpc-spoke2"},
        ),
        (
            build_policy(StringEquals={"aws:PrincipalAccount": get_spoke_account(1)}),
            {"vpc-spoke1"},
        ),
        (build_policy(StringEquals={"aws:PrincipalAccount": "999999999999"}), set()),
    ],
    ids=["all but the hub", "one spoke", "an unmonitored account"],
)
def test_a_policy_that_denies_the_account_of_a_spoke_breaks_its_path(
    policy: str, vpcs: set[str]
) -> None:
    """By name, or by naming all others; the last step is the policy of the endpoint."""
    intact = DESIGNS["whitepaper"]()
    bad = list_bad(edit_endpoint("kms", policy=policy)(intact), intact)
    assert set(bad) == vpcs
    for verdicts in bad.values():
        (verdict,) = verdicts
        assert "the policy of vpce-00000000000000003 allows no request of account" in (
            verdict.summary
        )


@pytest.mark.parametrize(
    "records",
    [
        lambda endpoint: (DnsRecord(KMS_NAME, "CNAME", endpoint.dns_names[:1]),),
        lambda endpoint: (DnsRecord(KMS_NAME, "A", alias=endpoint.dns_names[1]),),
        lambda _: (DnsRecord(KMS_NAME, "A", ("10.0.0.12", "10.0.1.12")),),
    ],
    ids=["CNAME", "zonal name", "addresses"],
)
def test_records_of_every_form_lead_to_the_endpoint(
    records: Callable[[Endpoint], tuple[DnsRecord, ...]],
) -> None:
    """An alias is the usual one, and not the only one."""
    intact = DESIGNS["whitepaper"]()
    edit = edit_records(KMS_ZONE, lambda _: records(intact.endpoints["kms"]))
    assert list_bad(edit(intact), intact) == {}


def test_a_record_that_is_answered_by_chance_is_named() -> None:
    """Of two weighted records, one points to an endpoint that is gone."""
    intact = DESIGNS["whitepaper"]()
    gone = "vpce-0dead0dead0dead00-abcdefgh.kms.eu-west-1.vpce.amazonaws.com"

    def change(records: tuple[DnsRecord, ...]) -> tuple[DnsRecord, ...]:
        return (
            replace(records[0], policy="weighted"),
            DnsRecord(KMS_NAME, "A", alias=gone, policy="weighted"),
        )

    bad = list_bad(edit_records(KMS_ZONE, change)(intact), intact)
    assert set(bad) == set(intact.snapshots)
    assert all(
        "vpce-0dead0dead0dead00" in verdict_text(it) for verdicts in bad.values() for it in verdicts
    )
