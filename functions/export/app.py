"""The scheduled export of the ends of all hash chains to a bucket with Object Lock."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from posture.errors import SettingsError
from posture.evidence.export import LockedBucket, export_chain_ends
from posture.runtime import clients
from posture.runtime.garbage import keep_loaded_objects
from posture.runtime.settings import Settings
from posture.store.chain_ends import ExportHeader
from posture.store.findings import Findings
from posture.store.waivers import WaiverTable

logger = Logger()
metrics = Metrics()
settings = Settings.from_env(os.environ)
metrics.set_default_dimensions(stack=settings.stack)
if settings.evidence is None:
    raise SettingsError("EVIDENCE_BUCKET: expected the name of an S3 bucket")
findings = Findings(clients.dynamodb(), settings.tables.findings)
waivers = WaiverTable(clients.dynamodb(), settings.tables.baseline)
bucket = LockedBucket(clients.s3(), settings.evidence)
keep_loaded_objects()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Export the ends; an error makes Lambda retry, and the next export holds them as well."""
    header = ExportHeader(
        table=settings.tables.history,
        exported_at=datetime.now(UTC),
        stack=settings.stack,
        account=settings.region.account,
        region=settings.region.name,
    )
    result = export_chain_ends(findings, waivers, bucket, header)
    metrics.add_metric("ChainsExported", MetricUnit.Count, result.chains)
    logger.info("chain ends exported", extra={"key": result.key, "rows": result.rows})
    return {"key": result.key, "chains": result.chains, "rows": result.rows}
