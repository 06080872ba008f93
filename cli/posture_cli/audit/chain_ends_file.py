"""Exports the ends of the hash chains to a file, to be kept where operators cannot write."""

import json
from collections.abc import Iterable
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
    """Read the ends of the chains, by scope.

    Raises:
        CommandError: The file is malformed.
        OSError: The file cannot be read.
    """
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise CommandError(f"{path}: expected JSON: {error}") from None
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise CommandError(
            f"{path}: version: expected {VERSION}, as posture verify --heads writes it"
        )
    chains = document.get("chains")
    if not isinstance(chains, list):
        raise CommandError(f"{path}: chains: expected a list")
    return dict(_parse_chain(path, number, each) for number, each in enumerate(chains))


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
