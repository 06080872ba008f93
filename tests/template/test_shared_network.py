"""Reading the shared network: a survey outside the VPC, off by default."""

from collections.abc import Mapping
from typing import Any

import pytest

from posture.changes.shared_events import SERVICES
from posture.changes.survey_patterns import build_forward_patterns, build_survey_patterns
from posture.model.shared_network import SharedFacet
from posture_cli.embedded.translation import read_template
from stack_template import (
    MEMBER,
    PATH,
    RESOURCES,
    TEMPLATE,
    Statement,
    as_list,
    list_allowed,
    list_rules,
    list_statements,
    name_resources,
    select_actions,
)

FORWARDER = read_template(PATH.parent / "shared-events.yaml")
BUS = "event-bus/${MonitorStackName}-shared"
SERVICE_PREFIXES = ("ec2", "route53", "route53resolver", "route53profiles", "networkmanager")
ON = {"SharesNetwork", "SharesNetworkWithMembers"}
RULES = list_rules(RESOURCES, "SurveyQueue")


def names_shared(value: Any) -> bool:
    """Whether a value of the template depends on a resource that only the switch creates."""
    if isinstance(value, list):
        return any(map(names_shared, value))
    if not isinstance(value, Mapping):
        return False
    if value.get("Fn::If", [""])[0] in ON:
        return False
    name = value.get("Ref") or (value.get("Fn::GetAtt") or [""])[0]
    return RESOURCES.get(name, {}).get("Condition") in ON or any(map(names_shared, value.values()))


def list_reads(statements: list[Statement]) -> set[str]:
    """Return the actions of statements on the services of the shared network."""
    return {it for each in SERVICE_PREFIXES for it in select_actions(statements, each)}


def test_it_is_off_by_default_and_leaves_nothing_behind() -> None:
    """What every stack has names none of its resources, except under the condition."""
    assert TEMPLATE["Parameters"]["SharedNetwork"]["Default"] == "off"
    shared = {name for name, it in RESOURCES.items() if it.get("Condition") in ON}
    assert {"NetworkTable", "SurveyFunction", "RefreshFunction", "SurveyRole"} <= shared
    for name in RESOURCES.keys() - shared:
        assert not names_shared(RESOURCES[name]["Properties"]), name
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["NETWORK_TABLE"]["Fn::If"][2] == {"Ref": "AWS::NoValue"}


def test_the_survey_is_the_only_function_outside_the_vpc() -> None:
    """All others keep the VPC that the template gives every function."""
    functions = {
        name: it["Properties"]
        for name, it in RESOURCES.items()
        if it["Type"] == "AWS::Serverless::Function"
    }
    outside = {name for name, it in functions.items() if "VpcConfig" in it}
    assert outside == {"SurveyFunction"}
    assert functions["SurveyFunction"]["VpcConfig"] == {"Ref": "AWS::NoValue"}


def test_the_survey_can_only_read_and_write_facts() -> None:
    """It has no access to findings or history, and changes no network; of the baseline: members."""
    statements = list_allowed("SurveyRole")
    facts = [it for it in statements if select_actions([it], "dynamodb")]
    assert {name for it in facts for name in name_resources(it)} == {
        "NetworkTable",
        "BaselineTable",
    }
    [members] = [it for it in facts if "BaselineTable" in name_resources(it)]
    assert members["Action"] == "dynamodb:Query"
    assert members["Condition"]["ForAllValues:StringEquals"] == {"dynamodb:LeadingKeys": ["member"]}
    services = {action.partition(":")[0] for it in statements for action in as_list(it["Action"])}
    assert services == {*SERVICE_PREFIXES, "dynamodb", "kms", "logs", "sqs", "sts", "xray"}
    for action in list_reads(statements):
        assert action.partition(":")[2].startswith(("Describe", "Get", "List", "Search")), action
    assert RESOURCES["SurveyRole"]["Properties"].get("ManagedPolicyArns") is None


def test_the_survey_can_make_the_calls_that_facts_need_and_no_others() -> None:
    """In the own account and in members, whose role has some of them for other reasons."""
    needed = {each.value for each in SharedFacet if ":" in each}
    assert list_reads(list_allowed("SurveyRole")) == needed
    network = MEMBER["LookRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    shared = MEMBER["SharedNetworkPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert MEMBER["SharedNetworkPolicy"]["Condition"] == "SharesNetwork"
    assert needed <= list_reads([*network, *shared])
    assert list_reads(shared) <= needed - list_reads(network)


@pytest.mark.parametrize("action", sorted(each.value for each in SharedFacet if ":" in each))
def test_members_allow_each_call_on_the_same_resources(action: str) -> None:
    """With the same conditions, so that both accounts answer alike."""
    network = MEMBER["LookRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    shared = MEMBER["SharedNetworkPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    here = [it for it in list_allowed("SurveyRole") if action in as_list(it["Action"])]
    there = [it for it in (*network, *shared) if action in as_list(it["Action"])]
    assert [it["Resource"] for it in here] == [it["Resource"] for it in there]
    assert [it.get("Condition") for it in here] == [it.get("Condition") for it in there]


@pytest.mark.parametrize("role", ["EvaluateRole", "SweepRole", "RefreshRole", "SweepMemberRole"])
def test_who_evaluates_reads_facts_and_writes_central_vpcs(role: str) -> None:
    """The snapshots of central VPCs are written by those that evaluate them."""
    about = [it for it in list_allowed(role) if "NetworkTable" in name_resources(it)]
    code = [it for it in about if "Stream" not in it["Sid"]]
    assert {it["Sid"] for it in code} == {"ReadFacts", "WriteCentralVpcs"}


def test_the_rules_are_those_of_the_code() -> None:
    """Each sends to both queues: to the second one for what takes minutes until it is in effect."""
    patterns = build_survey_patterns()
    assert {name: RULES[name]["EventPattern"] for name in patterns} == patterns
    assert RULES.keys() - patterns == {"SharedBusRule"}
    for rule in RULES.values():
        queues = [it["Arn"]["Fn::GetAtt"][0] for it in rule["Targets"]]
        assert queues == ["SurveyQueue", "SecondSurveyQueue"]
        for target in rule["Targets"]:
            kept = target["DeadLetterConfig"]["Arn"]
            assert kept == {"Fn::GetAtt": ["SurveyDeadLetterQueue", "Arn"]}
    assert RESOURCES["SecondSurveyQueue"]["Properties"]["DelaySeconds"] == 300


@pytest.mark.parametrize("policy", ["SurveyQueuePolicy", "SharedNetworkLettersPolicy"])
def test_only_the_rules_can_send_to_the_queues(policy: str) -> None:
    """Those of events, and to the dead-letter queue the schedule as well."""
    document = RESOURCES[policy]["Properties"]["PolicyDocument"]
    allow = next(list_statements(document))
    senders = {it["Fn::GetAtt"][0] for it in allow["Condition"]["ArnEquals"]["aws:SourceArn"]}
    of_letters = policy == "SharedNetworkLettersPolicy"
    assert senders == RULES.keys() | ({"SurveyScheduleRule"} if of_letters else set())


def test_forwarded_events_are_accepted_from_members_only() -> None:
    """And from this account, whose own role puts them."""
    sources = {"aws.ec2", *(f"aws.{each.partition('.')[0]}" for each in SERVICES)}
    assert set(RULES["SharedBusRule"]["EventPattern"]["source"]) == sources
    policy = RESOURCES["SharedBusPolicy"]
    assert policy["Condition"] == "SharesNetworkWithMembers"
    members = RESOURCES["MembersBusPolicy"]["Properties"]["Statement"]["Condition"]
    assert policy["Properties"]["Statement"]["Condition"] == members


def test_members_forward_the_same_events() -> None:
    """To the bus of the central stack in their own Region."""
    patterns = build_survey_patterns()
    assert {name: MEMBER[name]["Properties"]["EventPattern"] for name in patterns} == patterns
    for name in patterns:
        assert MEMBER[name]["Condition"] == "SharesNetwork"
        (target,) = MEMBER[name]["Properties"]["Targets"]
        assert target["Arn"]["Fn::Sub"].endswith(BUS)
        assert "${AWS::Region}" in target["Arn"]["Fn::Sub"]


def test_events_of_global_services_are_forwarded_from_their_region() -> None:
    """Route 53's from us-east-1, Network Manager's from us-west-2, each to one bus only."""
    rules = {
        name: it for name, it in FORWARDER["Resources"].items() if it["Type"] == "AWS::Events::Rule"
    }
    patterns = {name: it["Properties"]["EventPattern"] for name, it in rules.items()}
    assert patterns == build_forward_patterns()
    regions = {name: FORWARDER["Conditions"][it["Condition"]] for name, it in rules.items()}
    assert regions == {
        "ZonesRule": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
        "CoreRule": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-west-2"]},
    }
    role = FORWARDER["Resources"]["ForwardRole"]["Properties"]
    (allowed,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    targets = [it["Arn"] for rule in rules.values() for it in rule["Properties"]["Targets"]]
    assert targets == [allowed["Resource"]] * 2
    assert allowed["Resource"]["Fn::Sub"].endswith(BUS)
    assert "${MonitorRegion}" in allowed["Resource"]["Fn::Sub"]


def test_a_forwarder_in_a_region_without_the_events_is_refused() -> None:
    """As one in the Region of the central stack, where its events would arrive twice."""
    rules = {name: it["Assertions"][0] for name, it in FORWARDER["Rules"].items()}
    assert rules["RegionHasTheEvents"]["Assert"] == {
        "Fn::Contains": [["us-east-1", "us-west-2"], {"Ref": "AWS::Region"}]
    }
    equal = {"Fn::Equals": [{"Ref": "MonitorRegion"}, {"Ref": "AWS::Region"}]}
    assert rules["MonitorIsElsewhere"]["Assert"] == {"Fn::Not": [equal]}
    assert all(it["AssertDescription"] for it in rules.values())


@pytest.mark.parametrize("resources", [MEMBER, FORWARDER["Resources"]])
def test_undelivered_events_of_each_rule_are_kept(resources: Mapping[str, Any]) -> None:
    """In a queue that accepts them from these rules only."""
    policy = resources["UndeliveredQueuePolicy"]["Properties"]["PolicyDocument"]
    allow = next(list_statements(policy))
    senders = as_list(allow["Condition"]["ArnEquals"]["aws:SourceArn"])
    named = {it.get("Fn::If", ["", it])[1]["Fn::GetAtt"][0] for it in senders}
    assert named == {name for name, it in resources.items() if it["Type"] == "AWS::Events::Rule"}


def test_a_survey_has_time_and_one_failed_event_fails_alone() -> None:
    """The queues wait six times the timeout plus the batching window, as Lambda requires."""
    survey = RESOURCES["SurveyFunction"]["Properties"]
    for name, mapping in survey["Events"].items():
        properties = mapping["Properties"]
        queue = RESOURCES[properties["Queue"]["Fn::GetAtt"][0]]["Properties"]
        window = properties["MaximumBatchingWindowInSeconds"]
        assert queue["VisibilityTimeout"] >= 6 * survey["Timeout"] + window, name
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert properties["ScalingConfig"] == {"MaximumConcurrency": 2}
        assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {
            "Fn::GetAtt": ["SurveyDeadLetterQueue", "Arn"]
        }


def test_a_failed_refresh_does_not_block_the_stream() -> None:
    """It is bisected, retried a limited number of times, and then discarded to a queue."""
    stream = RESOURCES["RefreshFunction"]["Properties"]["Events"]["Facts"]["Properties"]
    assert stream["BisectBatchOnFunctionError"] is True
    assert 0 < stream["MaximumRetryAttempts"] <= 10
    assert 0 < stream["MaximumRecordAgeInSeconds"] < 86400
    destination = stream["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Fn::GetAtt": ["RefreshFailuresQueue", "Arn"]}
