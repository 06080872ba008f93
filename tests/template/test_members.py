"""Members in the baseline table: the list of the organization and the sweep of each account."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from unittest.mock import MagicMock

import pytest
from cfnlint import api, core

from posture.model.member import Member, MemberSource, MemberState
from posture.store.members import MemberTable
from stack_template import (
    RESOURCES,
    TEMPLATE,
    as_list,
    list_allowed,
    list_statements,
    name_resources,
    select_actions,
)

MACHINE: Mapping[str, Any] = RESOURCES["MembersStateMachine"]["Properties"]
ON = {"MembersInTable", "ListsMembers", "OwnOrganizationRole"}
SDK = "arn:${Partition}:states:::aws-sdk:"


def list_states(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield all states of a definition by name, those inside of maps included."""
    for name, state in definition["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from list_states(state["ItemProcessor"])


STATES = dict(list_states(MACHINE["Definition"]))
TASKS = {name: it for name, it in STATES.items() if it["Type"] == "Task"}


def list_calls(service: str) -> set[str]:
    """Return the IAM actions of the calls that the state machine makes to a service."""
    calls = {it["Resource"].removeprefix(SDK) for it in TASKS.values()}
    named = (call.split(":") for call in calls)
    return {f"{name}:{call[0].upper()}{call[1:]}" for name, call in named if name == service}


def test_it_is_off_by_default() -> None:
    """Without it, members are those of the parameter, and the baseline table has no stream."""
    assert TEMPLATE["Parameters"]["MembersFrom"]["Default"] == "parameter"
    optional = {name for name, it in RESOURCES.items() if it.get("Condition") in ON}
    assert {"SweepMemberFunction", "MembersStateMachine", "MemberSweepFailuresQueue"} <= optional
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["MEMBERS"] == {
        "Fn::FindInMap": ["MemberLists", {"Ref": "MembersFrom"}, "ReadFrom"]
    }
    mapping = TEMPLATE["Mappings"]["MemberLists"]
    assert {name: it["ReadFrom"] for name, it in mapping.items()} == {
        "parameter": "parameter",
        "table": "table",
        "organization": "table",
    }
    assert TEMPLATE["Parameters"]["MembersFrom"]["AllowedValues"] == list(mapping)


def test_the_definition_is_valid() -> None:
    """For cfn-lint, in the only partition that it knows."""
    definition = json.dumps(MACHINE["Definition"]).replace("${Partition}", "aws")
    template = {
        "Resources": {
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": "arn:aws:iam::111122223333:role/members",
                    "Definition": json.loads(definition),
                },
            }
        }
    }
    rules = core.get_rules([], [], ["E"])
    assert api.lint(json.dumps(template), rules, ["eu-west-1"]) == []
    assert api.lint(json.dumps(template).replace('"Choice"', '"Choose"'), rules, ["eu-west-1"])


def test_every_state_is_reached_and_ends() -> None:
    """No state is left over, and each leads to another one or to an end."""
    starts = {MACHINE["Definition"]["StartAt"]}
    starts |= {it["ItemProcessor"]["StartAt"] for it in STATES.values() if it["Type"] == "Map"}
    nexts = set[str]()
    for state in STATES.values():
        found = {it["Next"] for it in (*state.get("Choices", ()), *state.get("Catch", ()))}
        found |= {state[key] for key in ("Next", "Default") if key in state}
        assert found or state.get("End") or state["Type"] in {"Succeed", "Fail"}
        nexts |= found
    assert starts | nexts == STATES.keys()


@pytest.mark.parametrize("name", TASKS)
def test_every_call_is_retried_with_growing_waits(name: str) -> None:
    """All of them together within the five minutes of an Express workflow."""
    *_, last = TASKS[name]["Retry"]
    assert last["ErrorEquals"] == ["States.ALL"]
    assert last["JitterStrategy"] == "FULL"
    waits = [
        min(last["IntervalSeconds"] * last["BackoffRate"] ** attempt, last["MaxDelaySeconds"])
        for attempt in range(last["MaxAttempts"])
    ]
    assert len(waits) >= 5
    assert sum(waits) < 60
    assert MACHINE["Definition"]["TimeoutSeconds"] < 300
    assert MACHINE["StateMachineType"] == "EXPRESS"


@pytest.mark.parametrize("name", TASKS)
def test_only_calls_to_the_organization_are_made_with_its_role(name: str) -> None:
    """Of the stack, or of another account by parameter."""
    call = TASKS[name]["Resource"].removeprefix(SDK)
    of_organization = call.startswith("organizations:")
    expected = {"RoleArn": "${ReaderRole}"} if of_organization else None
    assert TASKS[name].get("Credentials") == expected


def test_the_roles_allow_the_calls_and_no_others() -> None:
    """The machine's own role can use members only, not requirements or waivers."""
    reader, machine = list_allowed("OrganizationReadRole"), list_allowed("MembersRole")
    assert select_actions(reader, "organizations") == list_calls("organizations")
    assert {action for it in reader for action in as_list(it["Action"])} == list_calls(
        "organizations"
    )
    assert select_actions(machine, "dynamodb") == list_calls("dynamodb")
    for statement in machine:
        if select_actions([statement], "dynamodb"):
            assert name_resources(statement) == ["BaselineTable"]
            keys = statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]
            assert keys == ["member"]
    [write] = [it for it in machine if it["Sid"] == "WriteMembers"]
    attributes = set(write["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"])
    named = {
        attribute
        for it in TASKS.values()
        if it["Resource"].endswith("updateItem")
        for attribute in it["Arguments"]["ExpressionAttributeNames"].values()
    }
    assert attributes == named | {"kind", "name"}
    [assume] = [it for it in machine if it["Action"] == "sts:AssumeRole"]
    own, other = assume["Resource"]["Fn::If"][1:]
    assert own["Fn::Sub"].endswith("${AWS::StackName}-OrganizationReadRole-*")
    assert other == {"Fn::Sub": "${OrganizationRoleArn}"}


def test_accounts_wait_for_no_other_account() -> None:
    """An invocation has one account, ten run at a time, and what fails goes to a queue."""
    stream = RESOURCES["SweepMemberFunction"]["Properties"]["Events"]["Members"]["Properties"]
    assert stream["Stream"] == {"Fn::GetAtt": ["BaselineTable", "StreamArn"]}
    [pattern] = stream["FilterCriteria"]["Filters"]
    assert json.loads(pattern["Pattern"]) == {"dynamodb": {"Keys": {"kind": {"S": ["member"]}}}}
    assert (stream["BatchSize"], stream["ParallelizationFactor"]) == (1, 10)
    assert stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert stream["BisectBatchOnFunctionError"] is True
    assert 0 < stream["MaximumRetryAttempts"] <= 10
    assert 0 < stream["MaximumRecordAgeInSeconds"] < 86400
    destination = stream["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Fn::GetAtt": ["MemberSweepFailuresQueue", "Arn"]}


def test_the_log_of_errors_is_encrypted() -> None:
    """It names accounts."""
    [destination] = MACHINE["LoggingConfiguration"]["Destinations"]
    group = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0]
    assert RESOURCES[group]["Properties"]["KmsKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}
    name = RESOURCES[group]["Properties"]["LogGroupName"]["Fn::Sub"]
    logs = next(
        it
        for it in list_statements(RESOURCES["Key"]["Properties"]["KeyPolicy"])
        if it["Sid"] == "EncryptLogs"
    )
    allowed = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert any(it["Fn::Sub"].endswith(f":{name.removesuffix('members')}*") for it in allowed)


def test_units_restrict_the_buses_by_path() -> None:
    """Each id between slashes, at any place of the path of an account's organizational units."""
    condition = RESOURCES["MembersBusPolicy"]["Properties"]["Statement"]["Condition"]
    paths = condition["ForAnyValue:StringLike"]["Fn::If"][1]["aws:PrincipalOrgPaths"]["Fn::Split"]
    separator, (text, values) = paths[0], paths[1]["Fn::Sub"]
    between, (comma, ids) = values["Ids"]["Fn::Join"][0], values["Ids"]["Fn::Join"][1]["Fn::Split"]
    assert ids == {"Ref": "MemberParents"}
    joined = text.replace("${Ids}", between.join("ou-a,ou-b".split(comma)))
    assert joined.split(separator) == ["*/ou-a/*", "*/ou-b/*"]


@pytest.mark.parametrize(
    ("rule", "given", "needed"),
    [
        ("MembersAreListedOnce", "MembersFrom", "MemberAccounts"),
        ("UnitsAreOfTheTable", "MemberParents", "MembersFrom"),
        ("RoleIsForTheOrganization", "OrganizationRoleArn", "MembersFrom"),
    ],
)
def test_impossible_combinations_are_refused_with_a_sentence(
    rule: str, given: str, needed: str
) -> None:
    """Before CloudFormation creates anything."""
    checked = TEMPLATE["Rules"][rule]
    assert {"Ref": given} in checked["RuleCondition"]["Fn::Not"][0]["Fn::Equals"]
    [assertion] = checked["Assertions"]
    assert given in assertion["AssertDescription"]
    assert needed in assertion["AssertDescription"]


def test_sweeps_may_write_what_they_record_and_nothing_else() -> None:
    """Whether an account is a member is not part of it."""
    client = MagicMock()
    table, now = MemberTable(client, "baseline"), datetime(2026, 12, 1, tzinfo=UTC)
    member = Member("111111111111", MemberState.ACTIVE, MemberSource.PERSON, now, now)
    table.ask(member.account, now)
    table.begin(member, now)
    table.postpone(member, "throttled")
    table.give_up(member, now, "denied")
    table.complete(member, now)
    written = {
        attribute
        for call in client.update_item.call_args_list
        for attribute in (*call.kwargs["Key"], *call.kwargs["ExpressionAttributeNames"].values())
    }
    [allowed] = list_statements(RESOURCES["MemberTablePolicy"]["Properties"]["PolicyDocument"])
    attributes = allowed["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
    assert set(attributes) == written
