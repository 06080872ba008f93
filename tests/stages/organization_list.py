"""The state machine that lists the organization's accounts, executed by moto's interpreter.

moto interprets the Amazon States Language as LocalStack does, and calls its own AWS Organizations
and DynamoDB. It evaluates JSONata on a Java virtual machine that it does not install; here
jsonata-python, a port of the same library, does so. Executions are of the type STANDARD, which
moto can execute, and run in the thread of the test. What moto does not emulate: the role of
`Credentials`, the permissions of roles, and the five minutes of an Express workflow.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from jsonata import Jsonata
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api._internal import mock_random
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.jsonata import jsonata as bridge
from moto.stepfunctions.parser.asl.parse import asl_parser
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from posture.model.member import Member, MemberSource, MemberState
from posture.store.members import MemberTable
from stack_tables import create_tables
from stack_template import RESOURCES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REGION = "eu-west-1"
READER = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/reader"
_parse = lru_cache(maxsize=None)(asl_parser.AmazonStateLanguageParser.parse)
MACHINE: Mapping[str, Any] = RESOURCES["MembersStateMachine"]["Properties"]


def build_definition(**substitutions: str) -> str:
    """Return the state machine's definition with its substitutions, as CloudFormation does."""
    assert substitutions.keys() == MACHINE["DefinitionSubstitutions"].keys()
    text = json.dumps(MACHINE["Definition"])
    for name, value in substitutions.items():
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text
    # Pages of two instead of twenty: several pages need few accounts.
    assert text.count("'MaxResults': 20") == text.count("MaxResults") == 3
    return text.replace("'MaxResults': 20", "'MaxResults': 2")


@dataclass
class OrganizationList:
    """An organization in moto, the baseline table, and executions of the state machine.

    `refused` are the errors that calls get, by operation: each call takes the next one, "" for an
    answer; after the last one, calls are answered. `when` is what happens before the first call of
    an operation.
    """

    dynamodb: "DynamoDBClient"
    organizations: Any
    states: Any
    id: str
    root: str
    members: MemberTable
    refused: dict[str, list[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    when: dict[str, Callable[[], None]] = field(default_factory=dict)

    def add(self, name: str, unit: str = "") -> str:
        """Create an active account, in a unit or else in the root."""
        created = self.organizations.create_account(AccountName=name, Email=f"{name}@example.com")
        account: str = created["CreateAccountStatus"]["AccountId"]
        if unit:
            self.move(account, self.root, unit)
        return account

    def add_unit(self, name: str, parent: str) -> str:
        """Create an organizational unit."""
        created = self.organizations.create_organizational_unit(ParentId=parent, Name=name)
        unit: str = created["OrganizationalUnit"]["Id"]
        return unit

    def move(self, account: str, source: str, target: str) -> None:
        """Move an account to another parent."""
        self.organizations.move_account(
            AccountId=account, SourceParentId=source, DestinationParentId=target
        )

    def suspend(self, account: str) -> None:
        """Close an account, which AWS Organizations lists as suspended for 90 days."""
        self.organizations.close_account(AccountId=account)

    def remove(self, account: str) -> None:
        """Remove an account from the organization."""
        self.organizations.remove_account_from_organization(AccountId=account)

    def decide(self, account: str, state: MemberState, now: datetime) -> None:
        """Write what a person decided about an account, as `posture members` does."""
        self.members.put(account, state, MemberSource.PERSON, now)

    def execute(self, parents: str = "", organization: str = "") -> str:
        """Execute the state machine; return "" or the error with which it failed."""
        definition = build_definition(
            Account=DEFAULT_ACCOUNT_ID,
            OrganizationId=organization or self.id,
            Parents=parents,
            Partition="aws",
            ReaderRole=READER,
            Table="baseline",
        )
        name = f"members-{len(self.states.list_state_machines()['stateMachines'])}"
        role = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/members"
        machine = self.states.create_state_machine(name=name, definition=definition, roleArn=role)
        started = self.states.start_execution(stateMachineArn=machine["stateMachineArn"])
        ended = self.states.describe_execution(executionArn=started["executionArn"])
        assert ended["status"] in {"SUCCEEDED", "FAILED"}
        return str(ended.get("error", ""))

    def list_states(self) -> dict[str, str]:
        """Return the state of each member in the table, by account."""
        return {each.account: each.state.value for each in self.members.load().members}

    def read(self, account: str) -> Member:
        """Read one member."""
        member = self.members.get(account)
        assert member
        return member


@contextmanager
def opened_organization() -> Iterator[OrganizationList]:
    """Create an organization with no account but the management account, and an empty table."""
    config: Any = {"stepfunctions": {"execute_state_machine": True}}
    with mock_aws(config=config), pytest.MonkeyPatch.context() as patch:
        mock_random.seed(0)  # the same ids in each test: the same definitions, parsed once
        session = boto3.Session("testing", "testing", region_name=REGION)
        dynamodb, organizations = session.client("dynamodb"), session.client("organizations")
        tables = create_tables(dynamodb)
        created = organizations.create_organization(FeatureSet="ALL")["Organization"]
        opened = OrganizationList(
            dynamodb,
            organizations,
            session.client("stepfunctions"),
            created["Id"],
            organizations.list_roots()["Roots"][0]["Id"],
            MemberTable(dynamodb, tables.baseline),
        )
        patch.setattr(asl_parser.AmazonStateLanguageParser, "parse", _parse)
        patch.setattr(bridge, "_eval_jsonata", lambda text: Jsonata(text).evaluate(None))
        patch.setattr(ExecutionWorker, "start", ExecutionWorker._execution_logic)
        patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=opened.waits.append))
        _watch_calls(patch, opened)
        yield opened


def _watch_calls(patch: pytest.MonkeyPatch, opened: OrganizationList) -> None:
    """Record the calls to AWS Organizations and DynamoDB, and refuse some of them."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def watch(client: BaseClient, operation: str, arguments: Mapping[str, Any]) -> Any:
        opened.calls.append(operation)
        if happens := opened.when.pop(operation, None):
            happens()
        error = opened.refused.get(operation)
        if error and (code := error.pop(0)):
            known = client.exceptions.__dict__
            answer = {
                "Error": {"Code": code, "Message": "refused"},
                "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "request"},
            }
            raise known.get(code, ClientError)(answer, operation)
        return call(client, operation, arguments)

    patch.setattr(BaseClient, "_make_api_call", watch)
