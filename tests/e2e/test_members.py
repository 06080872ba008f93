"""Members in the baseline table: the deployed stack sweeps each of them by the table's stream.

The items are written as the state machine does, which tests/integration/members executes.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from member_items import JOINED, write_member
from posture_cli.embedded.aws import EmbeddedAws
from recorded_calls import Use, recording
from stack_template import PATH, as_list, list_allowed, name_resources

PARAMETERS = {
    "MembersFrom": "organization",
    "MemberParents": "ou-abcd-11111111,ou-abcd-22222222",
    "OrganizationId": "o-exampleorgid",
    "MemberExternalId": "our-external-id",
}
MEMBERS = ("111111111111", "222222222222")
LATER = "2026-11-21T00:00:00.000Z"


@dataclass(frozen=True)
class Organization:
    """A stack with two members, and what its functions called."""

    aws: EmbeddedAws
    uses: Mapping[str, set[Use]]

    def write(self, account: str, state: str, since: str) -> None:
        """Write a member as the state machine does."""
        write_member(self.aws, account, state, since)

    def read(self, account: str) -> dict[str, Any]:
        """Read the item of a member."""
        return self.aws.session.client("dynamodb").get_item(
            TableName=self.aws.stack.physical_id("BaselineTable"),
            Key={"kind": {"S": "member"}, "name": {"S": account}},
        )["Item"]

    def list_findings(self, account: str, status: str) -> set[str]:
        """Return the ids of the findings of an account."""
        found = self.aws.session.client("dynamodb").query(
            TableName=self.aws.stack.physical_id("FindingsTable"),
            IndexName="by-account-status",
            KeyConditionExpression="account_status = :value",
            ExpressionAttributeValues={":value": {"S": f"{account}#{status}"}},
        )
        return {each["id"]["S"] for each in found["Items"]}


@pytest.fixture(scope="module")
def organization() -> Iterator[Organization]:
    """Create the stack; two accounts join, and the sweep asks for them."""
    with EmbeddedAws(PATH.parent, parameters=PARAMETERS) as aws, recording(aws) as recorder:
        organization = Organization(aws, recorder.uses)
        for account in MEMBERS:
            organization.write(account, "active", JOINED)
        aws.functions["posture-sweep"]({})
        aws.settle()
        yield organization


def test_each_member_is_swept_by_the_stream(organization: Organization) -> None:
    """When it joins, and when the sweep asks; what became of it is in its item."""
    for account in MEMBERS:
        item = organization.read(account)
        assert item["tried_at"] == item["swept_at"]
        assert item["swept_at"]["S"] > item["due_at"]["S"]
        assert "last_error" not in item


def test_the_state_machine_and_the_bus_are_of_the_organization(
    organization: Organization,
) -> None:
    """The machine lists its accounts, and the bus accepts their events."""
    aws = organization.aws
    (machine,) = aws.session.client("stepfunctions").list_state_machines()["stateMachines"]
    assert machine["stateMachineArn"] == aws.stack.physical_id("MembersStateMachine")
    policy = aws.session.client("events").describe_event_bus(Name="posture-members")["Policy"]
    (statement,) = json.loads(policy)["Statement"]
    condition = statement["Condition"]["StringEquals"]
    assert condition["aws:PrincipalOrgID"] == PARAMETERS["OrganizationId"]


def test_the_role_allows_everything_its_function_does(organization: Organization) -> None:
    """Every call to DynamoDB and STS has a statement with its action and its resource."""
    allowed = {
        (action, resource.removeprefix("${").partition(".")[0])
        for statement in list_allowed("SweepMemberRole")
        for action in as_list(statement["Action"])
        for resource in name_resources(statement)
    }
    used = {
        (each.action, each.resource.partition("/")[0])
        for each in organization.uses["posture-sweep_member"]
        if not each.action.startswith("ec2:")  # with the roles of the members
    }
    assert {action for action, _ in used} >= {"dynamodb:UpdateItem", "sts:AssumeRole"}
    assert {it for it in used if it[0] != "sts:AssumeRole"} <= allowed
    assert "sts:AssumeRole" in {action for action, _ in allowed}


def test_the_findings_of_an_account_that_left_end(organization: Organization) -> None:
    """By the stream's record of its change; the other account's findings stay."""
    gone, stays = MEMBERS
    before = organization.list_findings(gone, "open")
    others = organization.list_findings(stays, "open")
    assert before
    assert others
    organization.write(gone, "left", LATER)
    assert organization.list_findings(gone, "open") == set()
    assert organization.list_findings(gone, "resolved") >= before
    assert organization.list_findings(stays, "open") == others
    assert organization.read(gone)["tried_as"] == {"S": "left"}
