"""Exports the ends of all hash chains to an S3 bucket, as one object.

The object is written with one request, so it is there whole or not at all. What is exported goes
through a temporary file: of any number of scopes, a hundred are in memory.
"""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Protocol, cast

from posture.errors import CorruptItemError
from posture.lean_dataclass import dataclass
from posture.runtime.settings import EvidenceBucket
from posture.store.chain_ends import ChainEnd, ExportHeader, format_lines
from posture.store.findings import Findings
from posture.store.waivers import PARTITION, WaiverTable

if TYPE_CHECKING:
    from typing import IO

    from mypy_boto3_s3 import S3Client

MAX_NAMED = 10  # scope records that an error names
LEVEL = 6  # of compression; digests are random, so more effort saves nothing


class ExportTarget(Protocol):
    """Where an export goes."""

    def put(self, key: str, body: IO[bytes], digest: str) -> None:
        """Write one object, whose MD5 digest is given in base64."""


class LockedBucket:
    """An S3 bucket with Object Lock and a default retention, which its owner configures."""

    def __init__(self, client: S3Client, bucket: EvidenceBucket) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, body: IO[bytes], digest: str) -> None:
        """Write one object; an existing one is not overwritten.

        A bucket with a default retention requires a digest of the content.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html

        Raises:
            ClientError: The bucket denies it, belongs to another account, or has the object.
        """
        self._client.put_object(
            Bucket=self._bucket.name,
            Key=key,
            Body=body,
            ContentMD5=digest,
            ContentType="application/gzip",
            IfNoneMatch="*",
            ExpectedBucketOwner=self._bucket.owner,
        )


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was exported: to which key, and how much."""

    key: str
    chains: int
    rows: int


def export_chain_ends(
    findings: Findings, waivers: WaiverTable, target: ExportTarget, header: ExportHeader
) -> ExportResult:
    """Export the ends of the chains of all scopes and of the waivers.

    Where a scope record cannot be read, the others are exported, as an export of some scopes only.

    Args:
        findings: The findings table, whose scope records hold the ends.
        waivers: The waivers, whose chain ends in the baseline table.
        target: Where the export goes.
        header: What is exported, and when.

    Raises:
        CorruptItemError: Some scope records cannot be read; the others were exported.
    """
    unreadable: dict[str, str] = {}
    key = build_key(header)
    with TemporaryFile() as file:
        counted = _write(file, header, list_chain_ends(findings, waivers, unreadable))
        if unreadable:
            file.seek(0)
            file.truncate()
            some = replace(header, complete=False)
            counted = _write(file, some, list_chain_ends(findings, waivers, unreadable))
        file.seek(0)
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
        file.seek(0)
        target.put(key, cast("IO[bytes]", file), b64encode(digest).decode())
    if unreadable:
        raise CorruptItemError("; ".join(list(unreadable.values())[:MAX_NAMED]))
    return ExportResult(key, counted.chains, counted.rows)


def _write(file: IO[bytes], header: ExportHeader, ends: Iterator[ChainEnd]) -> _Counter:
    """Write an export, compressed; return how much it is."""
    counted = _Counter()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=LEVEL, mtime=0) as packed:
        for line in format_lines(header, counted.count(ends)):
            packed.write(f"{line}\n".encode())
    return counted


def list_chain_ends(
    findings: Findings, waivers: WaiverTable, unreadable: dict[str, str]
) -> Iterator[ChainEnd]:
    """List the end of every chain, as it is read.

    The scopes whose record cannot be read are added to `unreadable`, with the reason.
    """
    for record in findings.read_records(findings.list_scopes(), unreadable=unreadable):
        yield ChainEnd(str(record.scope), record.chain, record.first_observed_at)
    yield ChainEnd(PARTITION, waivers.load_chain())


def build_key(header: ExportHeader) -> str:
    """Build the key of an export, which sorts by time."""
    return f"{build_prefix(header)}{_format_path(header.exported_at)}.ndjson.gz"


def build_prefix(header: ExportHeader) -> str:
    """Build the prefix of a stack's exports."""
    return f"{header.stack}/{header.account}/{header.region}/"


def _format_path(instant: datetime) -> str:
    return instant.strftime("%Y/%m/%d/%H%M%S.%fZ")


class _Counter:
    """Counts chains and rows that pass through."""

    def __init__(self) -> None:
        self.chains = 0
        self.rows = 0

    def count(self, ends: Iterator[ChainEnd]) -> Iterator[ChainEnd]:
        for end in ends:
            self.chains += 1
            self.rows += end.chain.length
            yield end
