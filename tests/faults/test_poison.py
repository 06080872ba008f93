"""Whatever the queue holds, no batch crashes, and rejections have a reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor_stage import ANY_ADDRESS, Stage, batch, event
from posture.changes.batch import parse_sqs_event
from tampering_calls import NAMED, build_event

SAMPLES = [
    json.loads(path.read_text())
    for path in sorted((Path(__file__).parents[2] / "events").rglob("*.json"))
]
RECORDS = [each["detail"] for each in SAMPLES if "detail" in each]

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.sampled_from(["vpc-0123456789abcdef0", "sg-\u0000", "2026-99-99T00:00:00Z", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)


def paths_of(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to every part of a record."""
    inner: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inner = enumerate(value)
    return [at, *(path for key, each in inner for path in paths_of(each, (*at, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    """Return the record with one part replaced."""
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


@st.composite
def mutants(draw: st.DrawFn) -> Any:
    """Return a real record with one or two parts replaced."""
    record = draw(st.sampled_from(RECORDS))
    for _ in range(draw(st.integers(1, 2))):
        record = replaced(record, draw(st.sampled_from(paths_of(record))), draw(JSON))
    return record


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(record=mutants())
def test_a_record_of_any_shape_is_read_or_refused_with_a_reason(record: Any) -> None:
    """A mutated record never fails its neighbour."""
    good = RECORDS[0]
    read = parse_sqs_event(batch(json.dumps({"detail-type": "x", "detail": record}), event(good)))
    assert [each.message_id for each in read.received][-1] == "m-2"
    assert len(read.received) + len(read.rejected) == 2
    assert all(each.reason for each in read.rejected)


@st.composite
def tampering_mutants(draw: st.DrawFn) -> Any:
    """Return the event of a call that can stop the monitor, with one or two parts replaced."""
    service, call, parameters, _ = draw(st.sampled_from(NAMED))
    record = {"tampering": build_event(service, call, parameters)}
    for _ in range(draw(st.integers(1, 2))):
        record = replaced(record, draw(st.sampled_from(paths_of(record)[1:])), draw(JSON))
    return record if draw(st.booleans()) else record["tampering"]


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(body=tampering_mutants())
def test_a_call_of_any_shape_is_read_or_refused_with_a_reason(body: Any) -> None:
    """A mutated call on the monitor never fails its neighbour."""
    read = parse_sqs_event(batch(json.dumps(body), event(RECORDS[0])))
    assert [each.message_id for each in read.received][-1] == "m-2"
    assert len(read.received) + len(read.rejected) == 2
    assert all(each.reason for each in read.rejected)


@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
@given(body=st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_a_body_of_any_bytes_is_refused_with_a_reason(body: str) -> None:
    """A message that is no record is rejected alone."""
    read = parse_sqs_event(batch(body, event(RECORDS[0])))
    assert [each.message_id for each in read.received][-1] == "m-2"
    assert all(each.reason for each in read.rejected)


HOSTILE = (
    "<script>alert(1)</script>",
    "\u202eetirw ot ydaer",
    "line\nbreak\r\ttab",
    "=HYPERLINK(1)",
    "`rm -rf /`; $(id)",
    "\u007f\u0085\u2028",
    "é" * 120,
    "'; DROP TABLE findings; --",
)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_tag_is_only_a_name(stage: Stage, name: str) -> None:
    """The VPC is evaluated and recorded whatever its tags are."""
    network = stage.network
    network.ec2.create_tags(
        Resources=[network.vpc, network.group], Tags=[{"Key": "Name", "Value": name}]
    )
    stage.open_group()
    assert stage.evaluate().failed == ()
    assert stage.about(network.group)


@pytest.mark.parametrize(
    "policy",
    [
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": "*",
                        "Action": "s3:Get*",
                        "Resource": f"arn:aws:s3:::b{at:05}-{'x' * 200}/*",
                    }
                    for at in range(1000)
                ],
            }
        ),
        "[" * 50_000,
        '{"Statement": "\\u0000"}',
        "not JSON at all " * 16_000,
        "",
    ],
    ids=[
        "256 KiB of statements",
        "nested 50,000 deep",
        "control character",
        "256 KiB of text",
        "empty",
    ],
)
def test_a_policy_of_any_size_and_shape_is_evaluated_or_unknown(stage: Stage, policy: str) -> None:
    """It fails no evaluation and outgrows no item."""
    stage.network.ec2.modify_vpc_endpoint(
        VpcEndpointId=stage.network.interface, PolicyDocument=policy
    )
    stage.open_group()
    evaluated = stage.evaluate()
    assert evaluated.failed == ()
    assert stage.about(stage.network.group)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("status", {"S": "eaten"}),
        ("version", {"S": "one"}),
        ("evidence", {"S": "gone"}),
        ("opened_at", {"S": "yesterday"}),
        ("severity", {"N": "3"}),
    ],
)
def test_an_item_edited_by_hand_is_reported_and_stops_only_its_own_scope(
    stage: Stage, attribute: str, value: Any
) -> None:
    """The message comes again, and works once the item is put right."""
    stage.open_group()
    (record,) = stage.taken()
    stage.evaluate(record)
    (item,) = [
        each
        for each in stage.dynamodb.scan(TableName="findings")["Items"]
        if each.get("id", {}).get("S") == stage.about(stage.network.group)[0].id
    ]
    stage.dynamodb.put_item(TableName="findings", Item={**item, attribute: value})
    bare = {
        **record,
        "eventID": "other",
        "requestParameters": {"vpcId": stage.network.bare},
        "eventName": "ModifyVpcAttribute",
        "responseElements": None,
    }
    evaluated = stage.evaluate(record, bare)
    assert evaluated.failed == ("m-1",)
    assert len(evaluated.results) == 1
    stage.dynamodb.put_item(TableName="findings", Item=item)
    assert stage.evaluate(record).failed == ()


def test_an_item_of_an_older_schema_is_read_and_written_anew(stage: Stage) -> None:
    """What later versions add is absent in it, and comes with its next version."""
    stage.open_group()
    (record,) = stage.taken()
    stage.evaluate(record)
    (finding,) = stage.about(stage.network.group)
    key = {"scope": {"S": str(finding.scope)}, "item": {"S": f"{finding.rule}#{finding.resource}"}}
    item = stage.dynamodb.get_item(TableName="findings", Key=key)["Item"]
    older = {
        name: value
        for name, value in item.items()
        if name not in {"truncated", "remediation", "cause", "schema"}
    }
    stage.dynamodb.put_item(TableName="findings", Item=older)
    stage.network.ec2.revoke_security_group_ingress(
        GroupId=stage.network.group, IpPermissions=[ANY_ADDRESS]
    )
    assert stage.evaluate(record).failed == ()
    resolved = key | {"item": {"S": f"~resolved#{finding.rule}#{finding.resource}"}}
    item = stage.dynamodb.get_item(TableName="findings", Key=resolved)["Item"]
    assert item["status"] == {"S": "resolved"}
    assert "schema" in item


def test_an_answer_that_is_none_holds_up_its_own_scope_only(stage: Stage) -> None:
    """Garbage instead of XML, as from a proxy in trouble, makes the message be retried."""
    network = stage.network
    stage.alice.modify_vpc_attribute(VpcId=network.bare, EnableDnsSupport={"Value": True})
    (other,) = stage.taken()
    stage.open_group()
    (record,) = stage.taken()
    network.ec2.modify_vpc_endpoint(VpcEndpointId=network.interface, PolicyDocument="\u0000")
    evaluated = stage.evaluate(record, other)
    assert evaluated.failed == ("m-1",)
    assert len(evaluated.results) == 1
