"""Loads regions from a snapshot file, or from what `aws ec2 describe-*` wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from posture_cli.failure import CommandError
from posture_cli.recorded.describe_files import parse_describe_files
from posture_cli.recorded.region import RecordedRegion
from posture_cli.recorded.snapshot_file import FORMAT, parse_snapshot


def load_regions(
    path: Path, *, regions: Sequence[str] = (), account: str | None = None
) -> tuple[RecordedRegion, ...]:
    """Load the regions of a snapshot file, or of a folder or file with EC2's answers.

    Args:
        path: The file or folder.
        regions: Only these regions; the region of EC2's answers, if they do not say it.
        account: Only this account; the account of EC2's answers, if they do not say it.

    Raises:
        CommandError: It does not hold what is expected; the error names file and place.
        OSError: It cannot be read.
    """
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file() and _is_shown(each, path))
        documents = {each: load_json(each) for each in files}
        if not documents:
            raise CommandError(f"{path}: expected files with output of aws ec2 describe commands")
        for each, document in documents.items():
            if _is_snapshot(document):
                raise CommandError(f"{path}: expected output of the AWS CLI; pass {each} by itself")
    else:
        documents = {path: load_json(path)}
        if _is_snapshot(document := documents[path]):
            return _select(parse_snapshot(document, path), path, regions, account)
        _reject_other_formats(document, path)
    if len(regions) > 1:
        raise CommandError(f"{path}: output of the AWS CLI is of one Region; use --region once")
    region = next(iter(regions), None)
    return (parse_describe_files(documents, path, account, region),)


def load_json(path: Path) -> Any:
    """Load a JSON file in any Unicode encoding.

    Raises:
        CommandError: It is not JSON; the error names the line and column.
        OSError: It cannot be read.
    """
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise CommandError(f"{path}: {where}: expected JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise CommandError(f"{path}: expected JSON as text: {error.reason}") from None
    except RecursionError:
        raise CommandError(f"{path}: expected JSON; this is nested too deeply") from None


def _is_shown(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _is_snapshot(document: Any) -> bool:
    return isinstance(document, dict) and document.get("format") == FORMAT


def _reject_other_formats(document: Any, path: Path) -> None:
    """Name what a file is that another command reads.

    Raises:
        CommandError: It is a plan or a template.
    """
    keys: set[str] = set(document) if isinstance(document, dict) else set()
    for key, what in (
        ("planned_values", "a Terraform plan"),
        ("Resources", "a CloudFormation template"),
    ):
        if key in keys:
            raise CommandError(
                f"{path}: expected a snapshot, found {what}: read it with posture plan {path}"
            )


def _select(
    found: Sequence[RecordedRegion], path: Path, regions: Sequence[str], account: str | None
) -> tuple[RecordedRegion, ...]:
    chosen = tuple(
        each
        for each in found
        if (not regions or each.region in regions) and account in {None, each.account}
    )
    missing = set(regions) - {each.region for each in chosen}
    if missing or not chosen:
        wanted = " ".join(filter(None, (account, *sorted(missing)))) or "no Region"
        there = ", ".join(f"{each.account} {each.region}" for each in found)
        raise CommandError(f"{path}: expected {wanted}, found {there}")
    return chosen
