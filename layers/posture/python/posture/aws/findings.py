"""Reading findings across scopes, for people: by scope, account, rule and resource."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from posture.aws.attributes import typed
from posture.aws.head import HEAD
from posture.aws.items import finding_of
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Scope

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Findings:
    """The findings table as its readers see it. Every method reads page by page, as it is asked.

    What comes from an index may be a moment old. Every method raises `CorruptItemError` at an item
    that cannot be read.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def of_scope(self, scope: Scope) -> Iterator[Finding]:
        """Give all findings of a scope, resolved ones included, by rule and resource."""
        return self._query("scope", str(scope))

    def of_account(self, account: str, status: FindingStatus) -> Iterator[Finding]:
        """Give an account's findings of one status, the worst and oldest first."""
        return self._query("account_status", f"{account}#{status}", "by-account-status")

    def of_rule(self, rule: str) -> Iterator[Finding]:
        """Give a rule's findings everywhere, the least recently updated first."""
        return self._query("rule", rule, "by-rule")

    def of_resource(self, resource: str) -> Iterator[Finding]:
        """Give a resource's findings, the least recently updated first."""
        return self._query("resource", resource, "by-resource")

    def _query(self, name: str, value: str, index: str | None = None) -> Iterator[Finding]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": name},
            ExpressionAttributeValues=typed({":key": value}),
            **({"IndexName": index} if index else {"ConsistentRead": True}),
        )
        for page in pages:
            for item in page["Items"]:
                if item.get("item") != {"S": HEAD}:
                    yield finding_of(item)
