"""Import of findings into AWS Security Hub, from the stream of the findings table.

Each record carries the current state of a finding. Security Hub compares the id and `UpdatedAt` and
keeps the newer state, so duplicate or late records do no harm.
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

MAX_BATCH = 100  # findings in one BatchImportFindings call

logger = Logger()


class SecurityHub:
    """Imports findings under the default product of the monitor's account.

    Findings of member accounts are imported into the monitor's account as well, as Security Hub
    accepts an account's findings only from that account. Their resources name the member account.
    """

    def __init__(self, client: SecurityHubClient, home: Region, rules: RuleTexts) -> None:
        self._client = client
        self._home = home
        self._rules = rules

    def import_findings(self, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """Import the findings of stream records; return the sequence numbers to retry."""
        numbers: dict[str, list[str]] = {}
        latest: dict[str, dict[str, Any]] = {}
        failed: list[str] = []
        for record in records:
            number = str(record["dynamodb"]["SequenceNumber"])
            image = record["dynamodb"].get("NewImage", {})
            if image.get("kind") != {"S": "finding"}:
                continue
            try:
                finding = build_asff(parse_finding(image), self._rules, self._home)
            except CorruptItemError:
                logger.exception("finding unreadable", extra={"sequence_number": number})
                failed.append(number)
                continue
            latest[finding["Id"]] = finding
            numbers.setdefault(finding["Id"], []).append(number)
        refused = self._import(list(latest.values()))
        return failed + [number for name in refused for number in numbers[name]]

    def _import(self, findings: Sequence[dict[str, Any]]) -> Iterator[str]:
        """Import findings in batches; yield the ids of those that were not accepted."""
        for start in range(0, len(findings), MAX_BATCH):
            batch = findings[start : start + MAX_BATCH]
            try:
                answer = self._client.batch_import_findings(Findings=batch)  # type: ignore[arg-type]
            except (ClientError, BotoCoreError):
                logger.exception("findings not imported", extra={"findings": len(batch)})
                yield from (each["Id"] for each in batch)
                continue
            for each in answer.get("FailedFindings", ()):
                logger.error("finding refused by Security Hub", extra={"refusal": each})
                yield each["Id"]
