"""Findings to AWS Security Hub, as the stream of the findings table brings them.

What is sent is the state that a finding has by then. Security Hub goes by id and `UpdatedAt`, and
leaves what it has where that is newer, so a record that comes twice or late does no harm.
https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from posture.alerts.asff import build_asff
from posture.alerts.rule_texts import RuleTexts
from posture.errors import CorruptItemError
from posture.model.scope import Region
from posture.store.items import parse_finding

if TYPE_CHECKING:
    from mypy_boto3_securityhub import SecurityHubClient

MOST = 100  # findings a BatchImportFindings call may hold

logger = Logger()


class SecurityHub:
    """The account's own product in Security Hub.

    Findings of member accounts are imported into the monitor's account, as Security Hub takes an
    account's findings from that account only; their resources name where they are.
    """

    def __init__(self, client: SecurityHubClient, home: Region, rules: RuleTexts) -> None:
        self._client = client
        self._home = home
        self._rules = rules

    def import_findings(self, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """Import the findings that stream records brought; give the numbers of those to retry."""
        numbers: dict[str, list[str]] = {}
        latest: dict[str, dict[str, Any]] = {}
        failed: list[str] = []
        for record in records:
            number = str(record["dynamodb"]["SequenceNumber"])
            image = record["dynamodb"].get("NewImage", {})
            if image.get("kind") != {"S": "finding"}:
                continue
            try:
                told = build_asff(parse_finding(image), self._rules, self._home)
            except CorruptItemError:
                logger.exception("finding unreadable", extra={"sequence_number": number})
                failed.append(number)
                continue
            latest[told["Id"]] = told
            numbers.setdefault(told["Id"], []).append(number)
        refused = self._import(list(latest.values()))
        return failed + [number for name in refused for number in numbers[name]]

    def _import(self, findings: Sequence[dict[str, Any]]) -> Iterator[str]:
        """Import findings in batches; give the ids of those that were not taken."""
        for start in range(0, len(findings), MOST):
            batch = findings[start : start + MOST]
            try:
                answer = self._client.batch_import_findings(Findings=batch)  # type: ignore[arg-type]
            except (ClientError, BotoCoreError):
                logger.exception("findings not imported", extra={"findings": len(batch)})
                yield from (each["Id"] for each in batch)
                continue
            for each in answer.get("FailedFindings", ()):
                logger.error("finding refused by Security Hub", extra={"refusal": each})
                yield each["Id"]
