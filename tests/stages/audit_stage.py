"""Writes findings and history to a monitor's tables, and runs the `posture` command on them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner, Result

from finding_builders import SCOPE, at, change, find_caused_transitions
from posture.lifecycle.diff import apply_transitions
from posture.model.finding import Finding, Transition
from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture.model.verdict import Verdict
from posture.store.actors import ActorDirectory
from posture.store.attribute_values import serialize
from posture.store.hash_chain import Chain
from posture.store.items import TransitionItems, build_items, item_key
from posture.store.scope_evaluation import Evaluation, WriteResult
from posture.store.scope_record import index_fields, record_key
from posture.store.scope_store import Store
from posture.store.transactions import build_part_writes, split_into_parts
from posture_cli.app import app
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ON_TABLES = ("--findings-table", TABLES.findings, "--history-table", TABLES.history)
ALICE = "arn:aws:iam::111122223333:user/alice"
NAMED_TABLES = {
    "verify": ON_TABLES,
    "history": ON_TABLES,
    "finding": ON_TABLES[2:],
    "diff": ON_TABLES,
    "findings": ON_TABLES,
    "report": ON_TABLES,
    "export": ON_TABLES,
    "controls": ON_TABLES,
}


def set_chain_end(client: "DynamoDBClient", chain: Chain) -> None:
    """Set the end of the chain in the scope record."""
    client.update_item(
        TableName=TABLES.findings,
        Key={"scope": {"S": str(SCOPE)}, "item": {"S": "#head"}},
        UpdateExpression="SET chain_length = :length, chain_tip = :tip",
        ExpressionAttributeValues={":length": {"N": str(chain.length)}, ":tip": {"S": chain.tip}},
    )


def record_evaluation(
    store: Store,
    minute: float,
    *verdicts: Verdict,
    scope: Scope = SCOPE,
    actor: str | None = ALICE,
) -> WriteResult:
    """Record one evaluation of a scope, caused by a change of the actor."""
    changes = [change("e-1", "rtb-0a", minute=minute - 1, actor=actor)] if actor else []
    return store.record(
        Evaluation(scope, at(minute)),
        lambda state: find_caused_transitions(
            scope, state.findings, verdicts, observed_at=at(minute), changes=changes
        ),
    )


class TableWriter:
    """Writes the same items as the store, but without transactions, which are slow in moto."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._actors = ActorDirectory(client, TABLES.history)
        self._chains: dict[Scope, Chain] = {}
        self._first: dict[Scope, datetime] = {}
        self.findings: dict[Scope, dict[str, Finding]] = {}

    def record(
        self, minute: float, *verdicts: Verdict, scope: Scope = SCOPE, actor: str | None = ALICE
    ) -> None:
        """Record one evaluation of a scope, caused by a change of the actor."""
        changes = [change("e-1", "rtb-0a", minute=minute - 1, actor=actor)] if actor else []
        stored = self.findings.setdefault(scope, {})
        steps = find_caused_transitions(
            scope, stored, verdicts, observed_at=at(minute), changes=changes
        )
        self.write(scope, steps, at(minute))

    def write(self, scope: Scope, steps: Sequence[Transition], instant: datetime) -> None:
        """Record transitions of a scope."""
        stored = self.findings.setdefault(scope, {})
        chain = self._chains.get(scope, Chain())
        commit = ""
        self._actors.remember(steps)
        known = {name: item_key(finding) for name, finding in stored.items()}

        def build(step: Transition) -> TransitionItems:
            return build_items(step, known.get(step.finding.id, ""))

        for part in split_into_parts(steps, build, instant, chain):
            for write in build_part_writes(part, TABLES):
                if "Put" in write:
                    self._client.put_item(**write["Put"])
                else:
                    self._client.delete_item(**write["Delete"])
            chain, commit = part.chain, part.commit
        self._chains[scope] = chain
        self.findings[scope] = apply_transitions(stored, steps)
        values = {
            "observed_at": format_iso(instant),
            "first_observed_at": format_iso(self._first.setdefault(scope, instant)),
            "revision": 1,
            "commit": commit,
            **chain.to_attributes(),
        }
        fields = {**index_fields(scope, exists=True), **values}
        item = {**record_key(scope), **serialize(fields)}
        self._client.put_item(TableName=TABLES.findings, Item=item)


def posture(command: str, *arguments: str) -> Result:
    """Run a command on the tables."""
    return CliRunner().invoke(app, [command, *NAMED_TABLES.get(command, ()), *arguments])


def rows(client: "DynamoDBClient", table: str, scope: object = SCOPE) -> list[dict[str, Any]]:
    """Read the items of a scope from a table, by key."""
    answer = client.query(
        TableName=table,
        KeyConditionExpression="#scope = :scope",
        ExpressionAttributeNames={"#scope": "scope"},
        ExpressionAttributeValues={":scope": {"S": str(scope)}},
    )
    return [dict(item) for item in answer["Items"]]


def format_time(instant: datetime) -> str:
    """Format a time for the command line."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
