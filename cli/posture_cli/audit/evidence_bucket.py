"""Reads the exported ends of the hash chains from an S3 bucket, in every version.

With Object Lock an object can be neither deleted nor changed, but another version can be put on top
of it. So the first version of each object counts.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from posture_cli.failure import CommandError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOCATION = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*)")
EXPORT = re.compile(r".*\.(json|ndjson)(\.gz)?")


@dataclass
class _Counts:
    """What makes objects less reliable as a witness."""

    read: int = 0
    replaced: int = 0
    deleted: int = 0
    unlocked: int = 0

    def list_warnings(self) -> Iterator[str]:
        for number, text in (
            (self.replaced, "has more than one version; the first one is used"),
            (self.deleted, "was deleted, though a version of it is left, which is used"),
            (self.unlocked, "has no retention that you can read; it may have been replaced"),
        ):
            if number:
                yield f"{number} of {self.read} exports {text}"


def is_bucket(location: str) -> bool:
    """Whether a text names objects in S3 and not a file."""
    return location.startswith("s3://")


def read_bucket(
    client: S3Client,
    location: str,
    add: Callable[[str, bytes], None],
    warn: Callable[[str], None],
) -> None:
    """Read every export at a location.

    Args:
        client: A client with the permissions to list versions and to read them.
        location: An object or a prefix: `s3://BUCKET/PREFIX`.
        add: Adds what an export holds, of which it gets the location and the content.
        warn: Gets what makes the exports less reliable.

    Raises:
        CommandError: The location is malformed or holds no export, or one of them is malformed.
    """
    matched = LOCATION.fullmatch(location)
    if not matched:
        raise CommandError(f"{location}: expected s3://BUCKET/PREFIX")
    bucket, prefix = matched.groups()
    counts = _Counts()
    for key, versions, deleted in _list_first_versions(client, bucket, prefix):
        answer = client.get_object(Bucket=bucket, Key=key, VersionId=versions[0])
        add(f"s3://{bucket}/{key}", answer["Body"].read())
        counts.read += 1
        counts.replaced += len(versions) > 1
        counts.deleted += deleted
        counts.unlocked += "ObjectLockRetainUntilDate" not in answer
    if not counts.read:
        raise CommandError(f"{location}: there is no export")
    for each in counts.list_warnings():
        warn(each)


def _list_first_versions(
    client: S3Client, bucket: str, prefix: str
) -> Iterator[tuple[str, list[str], bool]]:
    """List the exports: the key, the ids of its versions, the oldest first, and if it is deleted.

    S3 lists by key, and of a key the newest version first, so only those of one key are in memory.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
    """
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    listed = (
        entry
        for page in pages
        for entry in sorted(
            [
                *((it["Key"], it["VersionId"], False) for it in page.get("Versions", ())),
                *((it["Key"], "", it["IsLatest"]) for it in page.get("DeleteMarkers", ())),
            ],
            key=itemgetter(0),
        )
    )
    for key, same in groupby(listed, key=itemgetter(0)):
        entries = list(same)
        versions = [version for _, version, _ in reversed(entries) if version]
        if versions and EXPORT.fullmatch(key):
            yield key, versions, any(is_deleted for _, _, is_deleted in entries)
