"""Formats edits as AWS CLI commands that can be pasted into a shell."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from posture.edits.created import CREATED
from posture.edits.edit import Edit
from posture.edits.operations import find_service
from posture.edits.parameters import build_parameters

WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Texts that shorthand can state without quotes; the others are printed as JSON.
PLAIN = re.compile(r"[A-Za-z0-9_.:/*@+-]+")
NOTHING: Mapping[str, str] = {}


def name_operation(kind: type[Edit] | str) -> str:
    """Return the AWS CLI's name of an operation or a parameter, such as `create-route`."""
    return _hyphenate(kind if isinstance(kind, str) else kind.__name__)


@cache
def _hyphenate(name: str) -> str:
    return WORD.sub("-", name).lower()


def format_command(edit: Edit) -> str:
    """Format one edit; `parse_command` parses the command to the same edit."""
    return _format(edit, NOTHING, "")


def format_sequence(edits: Sequence[Edit], region: str = "", profiles: Sequence[str] = ()) -> str:
    """Format edits as one command that stops at the first refusal. See `format_calls`."""
    return " && ".join(format_calls(edits, region, profiles))


def format_calls(
    edits: Sequence[Edit], region: str = "", profiles: Sequence[str] = ()
) -> list[str]:
    """Format each edit of a sequence.

    The id of what an edit creates is kept in a shell variable if a later edit names it.

    Args:
        edits: The edits in their order.
        region: The Region to name in each call, or "".
        profiles: The AWS CLI's profile to name in each call, or ""; none for all.
    """
    symbols = _name_variables(edits)
    created: dict[str, int] = {}
    calls: list[str] = []
    for each, profile in zip(edits, profiles or [""] * len(edits), strict=True):
        call = _format(each, symbols, region)
        if profile:
            call = f"{call} --profile {shlex.quote(profile)}"
        if what := CREATED.get(type(each)):
            created[what.prefix] = created.get(what.prefix, 0) + 1
            if name := symbols.get(f"{what.prefix}-new-{created[what.prefix]}"):
                query = shlex.quote(what.query)
                call = f"{name}=$({call} --query {query} --output text)"
        calls.append(call)
    return calls


def _name_variables(edits: Sequence[Edit]) -> dict[str, str]:
    """Return the variable for each symbol that an edit after its creation names."""
    found: dict[str, str] = {}
    created: dict[str, int] = {}
    for number, each in enumerate(edits):
        if what := CREATED.get(type(each)):
            count = created[what.prefix] = created.get(what.prefix, 0) + 1
            symbol = f"{what.prefix}-new-{count}"
            if any(symbol in _list_texts(build_parameters(it)) for it in edits[number + 1 :]):
                found[symbol] = f"{what.variable}{count if count > 1 else ''}"
    return found


def _list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _list_texts(each)
    elif isinstance(value, str):
        yield value


def _format(edit: Edit, symbols: Mapping[str, str], region: str) -> str:
    params = build_parameters(edit)
    options = [
        part
        for name, value in params.items()
        for part in _format_option(name_operation(name), value, symbols)
    ]
    where = ["--region", region] if region else []
    kind = type(edit)
    return " ".join(["aws", find_service(kind), name_operation(kind), *options, *where])


def _format_option(name: str, value: Any, symbols: Mapping[str, str]) -> Iterator[str]:
    if isinstance(value, dict) and set(value) == {"Value"}:
        value = value["Value"]
    if isinstance(value, bool):
        positive, negative = f"--{name}", "--ingress" if name == "egress" else f"--no-{name}"
        yield positive if value else negative
        return
    values = value if isinstance(value, list) else [value]
    texts = [_format_structure(each) if isinstance(each, dict) else str(each) for each in values]
    if any(each.startswith("--") for each in texts):
        yield f"--{name}={_quote(texts[0], symbols)}"
        return
    yield f"--{name}"
    yield from (_quote(each, symbols) for each in texts)


def _format_structure(value: Mapping[str, Any]) -> str:
    """Format a structure as shorthand, or as JSON if a text needs quotes in shorthand."""
    if value and all(PLAIN.fullmatch(each) for each in _list_texts(value)):
        return ",".join(f"{name}={_format_member(each)}" for name, each in value.items())
    return json.dumps(value, separators=(",", ":"))


def _format_member(value: Any) -> str:
    if isinstance(value, dict):
        inner = ",".join(f"{name}={_format_member(each)}" for name, each in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_format_member, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quote(text: str, symbols: Mapping[str, str]) -> str:
    """Quote a value for a shell, with variables in the place of symbols."""
    if not symbols:
        return shlex.quote(text)
    pattern = re.compile(rf"({'|'.join(map(re.escape, symbols))})(?!\d)")
    parts = pattern.split(text)
    if len(parts) == 1:
        return shlex.quote(text)
    return "".join(
        f'"${symbols[part]}"' if part in symbols else shlex.quote(part) for part in parts if part
    )
