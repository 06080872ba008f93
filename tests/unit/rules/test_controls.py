"""Which controls a result helps to show, by rule and AWS service."""

import pytest

from posture.rules.controls import NIST, SECURITY_HUB, SOURCES, Control, list_controls
from posture.rules.rule_catalogue import RULES, RULES_BY_ID

REQUIRED = RULES_BY_ID["required-service-without-endpoint"]
# Rules about availability, costs and validity, for which no published text gives a line.
WITHOUT_CONTROL = {
    "central-endpoint-return-path-missing",
    "central-endpoint-unreachable",
    "changes-not-followed",
    "endpoint-beside-central-endpoint",
    "endpoint-not-available",
    "endpoint-policy-blocks-required-service",
    "endpoint-policy-malformed",
    "endpoint-service-private-dns-unverified",
    "endpoint-unreachable-from-subnet",
    "gateway-endpoint-blocked-by-network-acl",
    "gateway-endpoint-bypassed-by-names",
    "gateway-endpoint-route-blackholed",
    "hosted-zone-overruled",
    "hosted-zone-record-dangling",
    "hosted-zone-without-record",
    "interface-endpoint-charges-avoidable",
    "monitor-tampering",
    "nat-gateway-charges-avoidable",
    "network-acl-blocks-return-traffic",
}


def _hub(service: str) -> list[str]:
    controls = list_controls(REQUIRED, service)
    return [each.id for each in controls if each.framework == SECURITY_HUB]


# https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html: `serviceNames`.
@pytest.mark.parametrize(
    ("service", "control"),
    [
        ("com.amazonaws.eu-west-1.ec2", ["EC2.10"]),
        ("com.amazonaws.eu-west-1.ecr.api", ["EC2.55"]),
        ("cn.com.amazonaws.cn-north-1.ecr.dkr", ["EC2.56"]),
        ("ssm", ["EC2.57"]),
        ("com.amazonaws.us-east-1.ssm-contacts", ["EC2.58"]),
        ("com.amazonaws.us-east-1.ssm-incidents", ["EC2.60"]),
        ("com.amazonaws.eu-west-1.secretsmanager", []),
        ("com.amazonaws.eu-west-1.ssmmessages", []),
        ("com.amazonaws.eu-west-1.ec2messages", []),
        ("com.amazonaws.eu-west-1.s3", []),
        ("vpc-0123456789abcdef0", []),
    ],
)
def test_a_service_has_the_control_that_names_it(service: str, control: list[str]) -> None:
    """And no other: each of Security Hub's controls asks for the endpoint of one service."""
    assert _hub(service) == control


def test_no_other_rule_has_a_control_of_security_hub() -> None:
    """Security Hub checks that endpoints exist, and nothing else that a rule checks."""
    found = {rule.id for rule in RULES for each in rule.controls if each.framework == SECURITY_HUB}
    assert not found
    assert [rule.id for rule in RULES if rule.service_controls] == [REQUIRED.id]


def test_related_requirements_follow_the_service() -> None:
    """Security Hub relates AC-21 to its controls; NIST's own words do not ask for an endpoint."""
    related = Control(NIST, "AC-21")
    assert related in list_controls(REQUIRED, "ssm")
    assert related not in list_controls(REQUIRED, "secretsmanager")


def test_a_control_is_listed_once() -> None:
    """SC-7 is a control of the rule for every service, and related to that of one service."""
    listed = list_controls(REQUIRED, "ecr.api")
    assert len(set(listed)) == len(listed)
    assert [each.id for each in listed if each.framework == NIST].count("SC-7") == 1


def test_every_mapping_names_its_line_and_its_page() -> None:
    """An auditor reads there why a rule is evidence for a control."""
    for rule in RULES:
        mapped = [*rule.controls, *(it for each in rule.service_controls.values() for it in each)]
        for control in mapped:
            assert control.text.endswith(".")
            assert control.source.startswith("https://")
            assert control.framework in SOURCES


def test_rules_without_a_published_line_have_no_control() -> None:
    """None is mapped by guess."""
    assert {rule.id for rule in RULES if not rule.controls} == WITHOUT_CONTROL
