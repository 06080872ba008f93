"""Writes an export: compressed JSON lines, first to a temporary folder, then to where it belongs.

Nothing is replaced before everything is written.
"""

import gzip
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import boto3

from posture_cli.audit.evidence_bucket import LOCATION, is_bucket
from posture_cli.export.datasets import DATASETS, Row
from posture_cli.failure import CommandError


@dataclass
class ExportFolder:
    """A folder that an export is written to; each data set has a folder with one file.

    Attributes:
        path: The folder.
        counts: The number of rows by data set.
    """

    path: Path
    counts: Counter[str] = field(default_factory=Counter)
    _files: dict[str, TextIOWrapper] = field(default_factory=dict)

    def add(self, dataset: str, row: Row) -> None:
        """Add a row to a data set."""
        self.counts[dataset] += 1
        self._files[dataset].write(json.dumps(row, separators=(",", ":")) + "\n")

    def add_text(self, name: str, text: str) -> None:
        """Add a file."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    @contextmanager
    def open(self, name: str) -> Iterator[None]:
        """Open the files of all data sets, called by the name of the export."""
        with ExitStack() as files:
            for dataset in DATASETS:
                self.counts[dataset] += 0  # so that it is listed if it is empty
                file = self.path / dataset / f"{name}.json.gz"
                file.parent.mkdir(parents=True, exist_ok=True)
                packed = files.enter_context(gzip.GzipFile(file, "wb", mtime=0))
                self._files[dataset] = files.enter_context(TextIOWrapper(packed, "utf-8"))
            yield


@contextmanager
def open_export(target: str, region: str | None) -> Iterator[ExportFolder]:
    """Open an export to a folder or to S3; what was written replaces files of the same names.

    Args:
        target: A folder, or `s3://BUCKET/PREFIX`.
        region: The region of the S3 client.

    Raises:
        CommandError: The target is malformed, or is a file.
    """
    matched = LOCATION.fullmatch(target.rstrip("/") + "/") if is_bucket(target) else None
    if is_bucket(target) and not matched:
        raise CommandError(f"{target}: expected s3://BUCKET/PREFIX")
    if not matched and Path(target).is_file():
        raise CommandError(f"{target} is a file; expected a folder or s3://BUCKET/PREFIX")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield ExportFolder(folder)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        if matched:
            bucket, prefix = matched.groups()
            client: Any = boto3.Session(region_name=region).client("s3")
            for file in files:
                client.upload_file(str(file), bucket, prefix + file.relative_to(folder).as_posix())
            return
        for file in files:
            to = Path(target) / file.relative_to(folder)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to)
