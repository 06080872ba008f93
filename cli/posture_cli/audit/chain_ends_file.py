"""Exports the ends of the hash chains to a file, to be kept where operators cannot write.

Received alerts hold ends of chains as well.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture.store.hash_chain import Chain
from posture.store.waivers import PARTITION
from posture_cli.audit.verify import ChainEnds, VerificationResult
from posture_cli.failure import CommandError

VERSION = 1


def write_chain_ends(
    path: Path, results: Iterable[VerificationResult], *, table: str, exported_at: datetime
) -> None:
    """Write the end of each chain.

    Raises:
        OSError: The file cannot be written.
    """
    document = {
        "version": VERSION,
        "table": table,
        "exported_at": format_iso(exported_at),
        "chains": [
            {"scope": it.scope, "length": it.chain.length, "tip": it.chain.tip}
            for it in sorted(results, key=lambda result: result.scope)
        ],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read_chain_ends(path: Path) -> ChainEnds:
    """Read the ends of the chains, by scope, from an export or from alerts.

    Of several alerts of one scope, the latest counts.

    Raises:
        CommandError: The file is malformed.
        OSError: The file cannot be read.
    """
    documents = list(_parse_documents(path))
    if all(isinstance(each, dict) and "kind" in each for each in documents):
        return _read_alerts(path, documents)
    document = documents[0]
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise CommandError(
            f"{path}: version: expected {VERSION}, as posture verify --heads writes it"
        )
    chains = document.get("chains")
    if not isinstance(chains, list):
        raise CommandError(f"{path}: chains: expected a list")
    return dict(_parse_chain(path, number, each) for number, each in enumerate(chains))


def _parse_documents(path: Path) -> Iterator[Any]:
    """Parse a file of one JSON document, or of one on each line, as a queue of alerts is saved."""
    text = path.read_text(encoding="utf-8")
    try:
        yield json.loads(text)
    except ValueError as whole:
        lines = [line for line in text.splitlines() if line.strip()]
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                problem = whole if len(lines) == 1 else f"line {number}: {error}"
                raise CommandError(f"{path}: expected JSON: {problem}") from None


def _read_alerts(path: Path, documents: Iterable[Any]) -> ChainEnds:
    ends: dict[str, Chain] = {}
    for number, document in enumerate(documents):
        history = document.get("history")
        if not isinstance(history, dict):
            continue  # a digest, or an alert of a version without
        raw = {"scope": document.get("scope"), "length": history.get("rows")}
        raw["tip"] = history.get("digest")
        scope, chain = _parse_chain(path, number, raw)
        ends[scope] = max(ends.get(scope, chain), chain, key=lambda each: each.length)
    if not ends:
        raise CommandError(f"{path}: history: expected an alert of the monitor that has it")
    return ends


def _parse_chain(path: Path, number: int, raw: Any) -> tuple[str, Chain]:
    fields = raw if isinstance(raw, dict) else {}
    scope, length, tip = (fields.get(name) for name in ("scope", "length", "tip"))
    try:
        name = PARTITION if scope == PARTITION else str(Scope.parse(str(scope)))
    except ValueError as error:
        raise CommandError(f"{path}: chains[{number}].scope: {error}") from None
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise CommandError(f"{path}: chains[{number}].length: expected a number, got {length!r}")
    if not isinstance(tip, str):
        raise CommandError(f"{path}: chains[{number}].tip: expected a digest, got {tip!r}")
    return name, Chain(length, tip)
