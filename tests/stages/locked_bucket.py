"""An emulated S3 bucket with Object Lock."""

from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def create_locked_bucket(name: str, **retention: Any) -> "S3Client":
    """Create a bucket with a default retention, such as `Days=9`; return a client of S3."""
    client = boto3.client("s3")
    default: Any = {"Mode": "COMPLIANCE", **retention}
    client.create_bucket(
        Bucket=name,
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    client.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": default},
        },
    )
    return client
