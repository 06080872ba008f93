"""Reads and writes the ends of the hash chains: exports, and received alerts, which hold ends."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from posture.model.instant import parse_iso
from posture.model.scope import Scope
from posture.store.chain_ends import (
    KIND,
    ChainEnd,
    ExportHeader,
    format_lines,
    parse_end,
    parse_header,
    require_whole,
)
from posture.store.hash_chain import WAIVERS, Chain
from posture_cli.audit.exported_ends import ExportedDocument
from posture_cli.audit.verify import VerificationResult
from posture_cli.failure import CommandError

FIRST_VERSION = 1  # one JSON document
GZIP = b"\x1f\x8b"


def write_chain_ends(
    path: Path, exports: Iterable[tuple[ExportHeader, Iterable[VerificationResult]]]
) -> None:
    """Write the end of each chain, compressed if the file is called `.gz`.

    Args:
        path: The file.
        exports: For each stack what is exported, and the results of its verification. The exports
            of several stacks follow one another.

    Raises:
        OSError: The file cannot be written.
    """
    lines: list[str] = []
    for header, results in exports:
        ends = (
            ChainEnd(it.scope, it.chain, it.first_observed_at, it.unchained)
            for it in sorted(results, key=lambda result: result.scope)
        )
        lines += format_lines(header, ends)
    body = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(body, mtime=0) if path.suffix == ".gz" else body)


def parse_chain_ends(name: str, body: bytes) -> Iterator[ExportedDocument]:
    """Parse alerts or an export, or several exports that follow one another.

    Args:
        name: The name of the file or object, for errors.
        body: Its content, which may be compressed.

    Raises:
        CommandError: The content is malformed.
    """
    try:
        text = (gzip.decompress(body) if body.startswith(GZIP) else body).decode("utf-8")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise CommandError(f"{name}: cannot be read: {error}") from None
    documents = list(_parse_documents(name, text))
    headers = [number for number, each in enumerate(documents) if _is_header(each)]
    if documents and _is_header(documents[0]):
        for start, end in pairwise((*headers, len(documents))):
            yield _parse_export(name, documents[start:end], start)
    elif documents and all(isinstance(each, dict) and "kind" in each for each in documents):
        yield _parse_alerts(name, documents)
    else:
        yield _parse_first_version(name, documents)


def _is_header(document: Any) -> bool:
    return isinstance(document, dict) and document.get("kind") == KIND


def _parse_documents(name: str, text: str) -> Iterator[Any]:
    """Parse one JSON document, or one on each line, as a queue of alerts is saved."""
    try:
        yield json.loads(text)
    except ValueError as whole:
        lines = [line for line in text.splitlines() if line.strip()]
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                problem = whole if len(lines) == 1 else f"line {number}: {error}"
                raise CommandError(f"{name}: expected JSON: {problem}") from None


def _parse_export(name: str, documents: Sequence[Any], start: int) -> ExportedDocument:
    """Parse the lines of one export, the first of which follows `start` others."""
    number = 1
    try:
        header = parse_header(documents[0])
        parsed = []
        for number, document in enumerate(documents[1:-1], 2):  # noqa: B007 - the error names it
            parsed.append(parse_end(document))
        number = len(documents)
        require_whole(documents[-1], len(parsed), sum(end.chain.length for end in parsed))
    except (ValueError, TypeError) as error:
        raise CommandError(f"{name}: line {start + number}: {error}") from None
    return ExportedDocument(tuple(parsed), header)


def _parse_alerts(name: str, documents: Iterable[Any]) -> ExportedDocument:
    """Parse the ends in alerts, and in the digests of many alerts."""
    found = []
    for number, document in enumerate(documents):
        histories = document.get("histories")  # of a digest
        for each in histories if isinstance(histories, list) else [document.get("history")]:
            if isinstance(each, dict):  # older alerts and digests have none
                scope = each.get("scope", document.get("scope"))
                raw = {"scope": scope, "length": each.get("rows"), "tip": each.get("digest")}
                found.append(_parse_chain(name, number, raw))
    if not found:
        raise CommandError(f"{name}: history: expected an alert of the monitor that has it")
    return ExportedDocument(tuple(found))


def _parse_first_version(name: str, documents: Sequence[Any]) -> ExportedDocument:
    document = documents[0] if documents else None
    if not isinstance(document, dict) or document.get("version") != FIRST_VERSION:
        raise CommandError(
            f"{name}: expected an export, as posture verify --heads writes it, or alerts in JSON: "
            f"neither kind nor version is known"
        )
    chains = document.get("chains")
    if not isinstance(chains, list):
        raise CommandError(f"{name}: chains: expected a list")
    try:
        exported_at = parse_iso(str(document.get("exported_at")))
    except ValueError:
        raise CommandError(f"{name}: exported_at: expected a time") from None
    ends = tuple(_parse_chain(name, number, each) for number, each in enumerate(chains))
    # The first version did not say of which table it is, and whether it holds all chains.
    return ExportedDocument(ends, ExportHeader("", exported_at, complete=False))


def _parse_chain(name: str, number: int, raw: Any) -> ChainEnd:
    fields = raw if isinstance(raw, dict) else {}
    scope, length, tip = (fields.get(key) for key in ("scope", "length", "tip"))
    try:
        partition = WAIVERS if scope == WAIVERS else str(Scope.parse(str(scope)))
    except ValueError as error:
        raise CommandError(f"{name}: chains[{number}].scope: {error}") from None
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise CommandError(f"{name}: chains[{number}].length: expected a number, got {length!r}")
    if not isinstance(tip, str):
        raise CommandError(f"{name}: chains[{number}].tip: expected a digest, got {tip!r}")
    return ChainEnd(partition, Chain(length, tip))
