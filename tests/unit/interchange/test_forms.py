"""Findings and verdicts as other tools take them, held against the tools' own models."""

import json
from dataclasses import replace
from datetime import UTC
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

from finding_builders import SCOPE, at, change, opened, verdict
from posture.alerts.asff import build_asff
from posture.alerts.rule_texts import load_rule_texts
from posture.model.finding import Attribution, Cause, CauseKind, Finding, FindingStatus
from posture.model.scope import Scope
from posture.model.verdict import Remediation, Severity, Status
from posture.rules.rule_catalogue import RULES_BY_ID
from posture_cli.interchange import junit, ocsf, sarif

RULE = next(iter(RULES_BY_ID))
HOSTILE = "<![CDATA[ ]]> \x00\x1b[31m \u202e & \" '"


def finding(status: FindingStatus = FindingStatus.OPEN, **changes: Any) -> Finding:
    """Return a finding that a change caused."""
    [step] = opened(verdict(RULE), changes=[change("e-1", "rtb-0a")])
    return replace(step.finding, status=status, **changes)


@pytest.fixture(scope="module")
def validator() -> Any:
    """Return botocore's own check of what BatchImportFindings takes."""
    model = ServiceModel(Loader().load_service_model("securityhub", "service-2"))
    shape = model.shape_for("BatchImportFindingsRequest")

    def report(record: dict[str, Any]) -> str:
        return str(ParamValidator().validate({"Findings": [record]}, shape).generate_report())

    return report


def members(shape: Any, value: Any, path: str = "") -> list[str]:
    """Return the members that a shape of botocore does not know."""
    if isinstance(value, list):
        return [it for each in value for it in members(shape.member, each, path)]
    if not isinstance(value, dict) or shape.type_name != "structure":
        return []
    strange = [f"{path}.{name}" for name in value if name not in shape.members]
    known = [(name, each) for name, each in value.items() if name in shape.members]
    return strange + [
        it for name, each in known for it in members(shape.members[name], each, f"{path}.{name}")
    ]


@pytest.mark.parametrize("status", FindingStatus)
def test_asff_is_what_security_hub_takes(validator: Any, status: FindingStatus) -> None:
    """Every field it requires, none that it does not know, in every state of a finding."""
    record = build_asff(finding(status), load_rule_texts())
    assert validator(record) == ""
    model = ServiceModel(Loader().load_service_model("securityhub", "service-2"))
    assert members(model.shape_for("AwsSecurityFinding"), record) == []
    assert record["ProductArn"] == (
        "arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default"
    )
    assert record["ProductFields"]["posture/actor"] == "arn:aws:iam::111122223333:user/alice"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (FindingStatus.OPEN, ("FAILED", "ACTIVE", "NEW")),
        (FindingStatus.UNKNOWN, ("WARNING", "ACTIVE", "NEW")),
        (FindingStatus.WAIVED, ("FAILED", "ARCHIVED", "SUPPRESSED")),
        (FindingStatus.RESOLVED, ("PASSED", "ARCHIVED", "NEW")),
    ],
)
def test_asff_tells_how_a_finding_stands(
    status: FindingStatus, expected: tuple[str, str, str]
) -> None:
    """A repaired one has passed and is archived."""
    record = build_asff(finding(status), load_rule_texts())
    assert expected == (
        record["Compliance"]["Status"],
        record["RecordState"],
        record["Workflow"]["Status"],
    )


@pytest.mark.parametrize(
    ("service", "control"), [("secretsmanager", None), ("ecr.api", "Security Hub EC2.55")]
)
def test_a_missing_endpoint_concerns_the_control_of_its_own_service_only(
    service: str, control: str | None
) -> None:
    """In each form that names controls."""
    name = f"com.amazonaws.{SCOPE.region}.{service}"
    answer = verdict("required-service-without-endpoint", name)
    [step] = opened(answer)
    asff = build_asff(step.finding, load_rule_texts())["Compliance"]["RelatedRequirements"]
    event = ocsf.build_ocsf_event(step.finding)["compliance"]
    (result,) = sarif.build_sarif([(SCOPE, answer)])["runs"][0]["results"]
    for named in (asff, event["requirements"], result["properties"]["tags"]):
        assert "NIST SP 800-53 r5 SC-7" in named
        assert [each for each in named if each.startswith("Security Hub")] == [
            each for each in [control] if each
        ]
    assert ("Security Hub" in event["standards"]) is bool(control)


def test_asff_stays_within_its_bounds() -> None:
    """However much a finding has to say."""
    long = verdict(RULE, summary="€" * 900, evidence=["€" * 900] * 40)
    long = replace(long, remediation=Remediation("€" * 900, "x" * 3000, "€" * 900))
    [step] = opened(long)
    record = build_asff(step.finding, load_rule_texts())
    assert len(record["Title"]) <= 256
    assert len(record["Description"]) <= 1024
    assert len(record["Remediation"]["Recommendation"]["Text"]) <= 512
    assert all(len(value) <= 1024 for value in record["ProductFields"].values())
    assert len(json.dumps(record)) < 240_000


def test_every_form_shows_the_command_and_what_was_verified() -> None:
    """A reader of any of them learns whether the command holds."""
    remedy = Remediation("Do it.", "aws ec2 delete-route", "resolves this; opens nothing")
    proven = replace(verdict(RULE), remediation=remedy)
    [step] = opened(proven)
    asff = build_asff(step.finding, load_rule_texts())["ProductFields"]
    assert asff["posture/command"] == remedy.command
    assert asff["posture/verified"] == remedy.verified
    line = "Do it. aws ec2 delete-route Verified: resolves this; opens nothing"
    assert ocsf.build_ocsf_event(step.finding)["remediation"] == {"desc": line}
    (result,) = sarif.build_sarif([(step.finding.scope, proven)])["runs"][0]["results"]
    assert result["message"]["text"].endswith(line)
    assert "Verified: resolves this; opens nothing" in junit.build_junit(
        [(step.finding.scope, proven)]
    )


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_arns_are_of_the_regions_partition(region: str, partition: str) -> None:
    """In China and GovCloud, too."""
    about = finding(scope=Scope("111122223333", region, "vpc-0a"))
    record = build_asff(about, load_rule_texts())
    assert record["Resources"][0]["Id"].startswith(f"arn:{partition}:ec2:{region}:")
    assert record["Resources"][0]["Type"] == "AwsEc2Subnet"


@pytest.fixture(scope="module")
def published() -> Draft202012Validator:
    """Return the schema of a Compliance Finding as OCSF publishes it, without further members."""
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=ocsf.VERSION))
    return Draft202012Validator(schemas.get_class_schema("compliance_finding", profiles=["cloud"]))


@pytest.mark.parametrize(
    "source", ["198.51.100.7", "2001:db8::7", "cloudformation.amazonaws.com", ""]
)
@pytest.mark.parametrize("status", FindingStatus)
def test_ocsf_is_valid_by_the_published_schema(
    published: Draft202012Validator, status: FindingStatus, source: str
) -> None:
    """With who opened and who resolved it as evidences, certain or possible."""
    first, second = (
        Cause(event, "DeleteRoute", "arn:aws:iam::111122223333:user/alice", at(0), source)
        for event in ("e-1", "e-2")
    )
    clock = Cause("", "GracePeriodEnded", "", at(0), kind=CauseKind.CLOCK)
    for attribution in (Attribution(first), Attribution(None, (second, first)), Attribution(clock)):
        resolved_by = attribution if status is FindingStatus.RESOLVED else None
        about = finding(status, opened_by=attribution, resolved_by=resolved_by)
        event = json.loads(json.dumps(ocsf.build_ocsf_event(about)))
        assert [error.message for error in published.iter_errors(event)] == []
        names = [each["name"] for each in event["evidences"]]
        prefix = "" if attribution.cause else "possibly "
        assert names[0] == f"{prefix}opened by"
        assert (f"{prefix}resolved by" in names) == (status is FindingStatus.RESOLVED)


def test_the_published_schema_refuses_what_it_does_not_know(
    published: Draft202012Validator,
) -> None:
    """So an event that it takes has no member of ours outside `unmapped`."""
    event = json.loads(json.dumps(ocsf.build_ocsf_event(finding())))
    for changed in (
        event | {"colour": "red"},
        event | {"severity_id": 77},
        event | {"finding_info": event["finding_info"] | {"colour": "red"}},
        {name: value for name, value in event.items() if name != "time"},
    ):
        assert not published.is_valid(changed)


@pytest.mark.parametrize("status", FindingStatus)
@pytest.mark.parametrize("severity", Severity)
def test_ocsf_is_a_compliance_finding(status: FindingStatus, severity: Severity) -> None:
    """By the models of the schema, with no value that they do not take."""
    event = ocsf.build_ocsf_event(finding(status, severity=severity))
    model = ComplianceFinding.model_validate_json(json.dumps(event))
    assert model.severity_id.name == severity.value.capitalize()
    assert model.type_uid.value == event["class_uid"] * 100 + event["activity_id"]
    assert model.finding_info.uid == finding().id
    unknown = set(event) - set(ComplianceFinding.model_fields)
    assert unknown == {"cloud"}  # by the profile that the metadata name
    assert event["metadata"]["profiles"] == ["cloud"]


def test_ocsf_tells_a_life() -> None:
    """Created, updated, closed; in milliseconds."""
    events = [
        ocsf.build_ocsf_event(finding()),
        ocsf.build_ocsf_event(finding(updated_at=at(5))),
        ocsf.build_ocsf_event(finding(FindingStatus.RESOLVED, updated_at=at(9))),
    ]
    assert [it["activity_name"] for it in events] == ["Create", "Update", "Close"]
    assert [it["time"] for it in events] == [
        int(at(minute).astimezone(UTC).timestamp()) * 1000 for minute in (0, 5, 9)
    ]


JUDGED = [
    (SCOPE, verdict(RULE)),
    (SCOPE, verdict(RULE, "subnet-0b", Status.PASS)),
    (SCOPE, verdict(RULE, HOSTILE, Status.UNKNOWN, summary=HOSTILE)),
]


def test_sarif_names_every_result() -> None:
    """With its rule, where it is, and a fingerprint that stays."""
    log = json.loads(json.dumps(sarif.build_sarif(JUDGED)))
    [run] = log["runs"]
    rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
    assert [(it["kind"], it["level"]) for it in run["results"]] == [
        ("fail", "error"),
        ("pass", "none"),
        ("open", "none"),
    ]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert run["results"][0]["partialFingerprints"]["finding"].startswith("f-")


def test_junit_counts_every_case() -> None:
    """Failures, errors for what is unknown, and what passes."""
    root = ET.fromstring(junit.build_junit(JUDGED))  # noqa: S314 - our own
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
    }
    assert len(root.findall("testsuite/testcase")) == 3
    [failure] = root.findall("testsuite/testcase/failure")
    assert "Route table rtb-0a" in str(failure.text)


@given(st.text(max_size=60))
def test_junit_is_xml_whatever_names_say(text: str) -> None:
    """No name can break the document."""
    expected = junit.build_junit([(SCOPE, verdict(RULE, text, summary=text, evidence=[text]))])
    [case] = ET.fromstring(expected).findall("testsuite/testcase")  # noqa: S314 - our own
    assert case.find("failure") is not None
