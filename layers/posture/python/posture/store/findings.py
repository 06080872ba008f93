"""Reading findings across scopes, for people: by scope, status, account, rule and resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from posture.model.finding import Finding, FindingStatus
from posture.model.instant import format_iso
from posture.model.rule_ids import current_rule_id, first_rule_id
from posture.model.scope import Scope
from posture.model.verdict import Severity
from posture.store.attribute_values import require_text, serialize
from posture.store.items import StoredItem, parse_finding
from posture.store.scope_record import LISTED, RECORD_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AFTER_ALL = "~"  # sorts after every character of an instant

Range = tuple[str, str, str]  # a sort key's name, and the first and last value wanted


class Findings:
    """The findings table as its readers see it. Every method reads page by page, as it is asked.

    `since` and `until` bound when a finding was last updated, both included. All of it goes by keys
    and indexes; nothing scans the table. What comes from an index may be a moment old. Every method
    raises `CorruptItemError` at an item that cannot be read.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def list_scopes(self) -> Iterator[Scope]:
        """Give every scope there ever was, those that are gone included."""
        for item in self._query("listed", LISTED, index="all-scopes"):
            yield Scope.parse(require_text({"scope": item["scope"].get("S")}, "scope"))

    def find_by_scope(self, scope: Scope) -> Iterator[Finding]:
        """Give all findings of a scope, resolved ones included, by rule and resource."""
        items = self._query("scope", str(scope))
        return (parse_finding(item) for item in items if item.get("item") != {"S": RECORD_KEY})

    def find_by_status(
        self,
        status: FindingStatus,
        *,
        account: str | None = None,
        severities: Iterable[Severity] = (),
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Finding]:
        """Give the findings of one status, everywhere or in one account, the worst first.

        Of one severity the least recently updated comes first.
        """
        name = "account_status" if account else "status"
        value = f"{account}#{status}" if account else status.value
        index = "by-account-status" if account else "by-status"
        return chain.from_iterable(
            map(parse_finding, self._query(name, value, index=index, between=between))
            for between in _severities(severities, since, until)
        )

    def find_by_rule(
        self, rule: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Finding]:
        """Find a rule's findings everywhere, the least recently updated first.

        Items that still carry the rule's former id are among them.
        """
        between, current = _updated(since, until), current_rule_id(rule)
        found = (
            map(parse_finding, self._query("rule", each, index="by-rule", between=between))
            for each in sorted({current, first_rule_id(current)})
        )
        return merge(*found, key=attrgetter("updated_at"))

    def find_by_resource(
        self, resource: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Finding]:
        """Give a resource's findings, the least recently updated first."""
        between = _updated(since, until)
        items = self._query("resource", resource, index="by-resource", between=between)
        return map(parse_finding, items)

    def _query(
        self, name: str, value: str, *, index: str | None = None, between: Range | None = None
    ) -> Iterator[StoredItem]:
        condition, names, values = "#key = :key", {"#key": name}, {":key": value}
        if between:
            condition += " AND #sort BETWEEN :first AND :last"
            names["#sort"], values[":first"], values[":last"] = between
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=serialize(values),
            **({"IndexName": index} if index else {"ConsistentRead": True}),
        )
        for page in pages:
            yield from page["Items"]


def _updated(since: datetime | None, until: datetime | None) -> Range | None:
    if since is None and until is None:
        return None
    return "updated_at", _first(since), _last(until)


def _severities(
    severities: Iterable[Severity], since: datetime | None, until: datetime | None
) -> Iterator[Range | None]:
    """Give the ranges of `severity_updated` that hold just what is wanted, the worst first."""
    wanted = frozenset(severities)
    if not wanted and since is None and until is None:
        yield None
        return
    for severity in Severity:
        if not wanted or severity in wanted:
            mark = f"{severity.rank}-{severity}#"
            yield "severity_updated", mark + _first(since), mark + _last(until)


def _first(since: datetime | None) -> str:
    return format_iso(since) if since else "0"


def _last(until: datetime | None) -> str:
    return format_iso(until) if until else AFTER_ALL
