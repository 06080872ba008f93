"""The actors that ever caused a transition, so that a person can name one without its whole ARN."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from posture.lean_dataclass import dataclass
from posture.model.finding import Cause, Transition
from posture.store.attribute_values import deserialize, require_text, serialize
from posture.store.conditional_writes import build_put
from posture.store.queries import StoredTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION = "actors"  # of the history


@dataclass(frozen=True, slots=True, order=True)
class KnownActor:
    """An actor as causes name it, and what else was known of the caller."""

    name: str
    identity: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.identity})" if self.identity else self.name


class ActorDirectory(StoredTable):
    """The partition of the history table that holds one row for each actor."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        super().__init__(client, table)
        self._remembered: set[KnownActor] = set()

    def remember(self, transitions: Iterable[Transition]) -> None:
        """Write the actors of transitions that are not known yet.

        It precedes the transaction that writes the transitions: a crash in between leaves an actor
        too many, never one too few. It is no part of it, because concurrent transactions on one
        item cancel each other.
        """
        causes = {cause for each in transitions for cause in _list_causes(each) if cause.actor}
        found = {KnownActor(cause.actor, cause.identity) for cause in causes}
        for actor in sorted(found - self._remembered):
            row = {
                "scope": PARTITION,
                "entry": str(actor),
                "name": actor.name,
                "identity": actor.identity or None,
            }
            try:
                put = build_put(self._table, serialize(row), "attribute_not_exists(#entry)")
                self._client.put_item(**put)
            except self._client.exceptions.ConditionalCheckFailedException:
                pass  # known already
            self._remembered.add(actor)

    def load(self) -> Iterator[KnownActor]:
        """Read all actors, by name."""
        for item in self._query("scope", PARTITION):
            fields = deserialize(item)
            yield KnownActor(require_text(fields, "name"), str(fields.get("identity", "")))


def _list_causes(transition: Transition) -> Iterator[Cause]:
    for attribution in transition.attributions:
        yield from attribution.possible
