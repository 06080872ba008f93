"""Former rule ids lead to the current ones, and finding ids do not depend on the rename."""

import pytest

from finding_builders import SCOPE
from posture.model.finding import finding_id
from posture.model.rule_ids import FORMER_RULE_IDS, current_rule_id, first_rule_id


def test_a_former_id_leads_to_the_current_one() -> None:
    """Any other text is returned as it is, the current id included."""
    assert current_rule_id("service-open-to-strangers") == (
        "endpoint-service-allows-untrusted-principal"
    )
    current = "endpoint-service-allows-untrusted-principal"
    assert current_rule_id(current) == current
    assert current_rule_id("made-up") == "made-up"


def test_each_former_id_has_a_successor_of_its_own() -> None:
    """No two rules became one, and no current id is also a former one."""
    assert len(FORMER_RULE_IDS) == 26
    assert len(set(FORMER_RULE_IDS.values())) == 26
    assert not FORMER_RULE_IDS.keys() & set(FORMER_RULE_IDS.values())


@pytest.mark.parametrize(("former", "current"), FORMER_RULE_IDS.items())
def test_a_finding_keeps_its_id_when_its_rule_is_renamed(former: str, current: str) -> None:
    """A fresh table and one from before the rename give a finding the same id."""
    assert first_rule_id(current) == first_rule_id(former) == former
    assert finding_id(SCOPE, current, "subnet-0a") == finding_id(SCOPE, former, "subnet-0a")


def test_finding_ids_are_those_of_the_former_version() -> None:
    """Mails, tickets and history rows refer to findings by these ids."""
    rule = "gateway-service-bypasses-endpoint"
    assert finding_id(SCOPE, rule, "subnet-0a") == "f-5d895fcd96d87c80fee5"
    assert finding_id(SCOPE, "endpoint-not-available", "vpce-0a") == "f-e7acd15ec3585899897a"
