"""What the organisation of the demo requires, as it would write it in a baseline file."""

from __future__ import annotations

from posture.baseline.document import BaselineDocument
from posture.baseline.parse import parse_document

BASELINE_DOCUMENT = {
    "version": 1,
    "default": {"pending_grace_minutes": 15},
    "overrides": [
        {
            "name": "production keeps its traffic to S3 private",
            "match": {"tags": {"stage": "production"}},
            "set": {"required_services": ["s3"]},
        },
        {
            "name": "payments keeps its keys and secrets private, too",
            "match": {"tags": {"Name": "payments"}},
            "set": {"required_services": ["s3", "dynamodb", "kms", "secretsmanager"]},
        },
    ],
}


def build_baseline() -> BaselineDocument:
    """Give the baseline."""
    return parse_document(BASELINE_DOCUMENT)
