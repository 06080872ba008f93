"""All rules on public designs: intact, none fails; broken, a finding names the cause."""

import pytest

from network_builders import verdict_text
from organization_breaks import BREAKS, Break, list_intact_variants
from organization_builders import (
    HUB,
    Link,
    Names,
    Organization,
    build_baseline,
    build_organization,
)
from organization_designs import DESIGNS
from organization_edits import Edit
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
