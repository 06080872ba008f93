"""Baseline documents to and from plain values, as YAML, JSON and DynamoDB hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from posture.baseline.document import BaselineDocument, Match, Override
from posture.baseline.fields import (
    CENTRAL_ENDPOINTS,
    CONDITIONS,
    EXEMPTION,
    NONE,
    REQUIREMENTS,
    SPOKES,
    Mistakes,
    parse_account_names,
    parse_fields,
    parse_members,
    parse_sentence,
)
from posture.errors import BaselineError
from posture.model.baseline import Baseline, CentralEndpoints, VpcSelector

VERSION = 1
MEMBERS = ("version", "account_names", "default", "overrides")
OVERRIDE = ("name", "match", "set")


def parse_document(raw: Any) -> BaselineDocument:
    """Parse a document; a field that is left out has its default.

    Raises:
        BaselineError: it lists every mistake with the path of its field.
    """
    mistakes = Mistakes()
    document = _document(raw, mistakes)
    if mistakes.found:
        raise BaselineError(tuple(mistakes.found))
    return document


def dump_document(document: BaselineDocument) -> dict[str, Any]:
    """Return the plain values that `parse_document` parses, in a stable order."""
    names = {"account_names": dict(document.account_names)} if document.account_names else {}
    return {
        "version": VERSION,
        **names,
        "default": _stated(document.default, REQUIREMENTS),
        "overrides": [
            {
                "name": override.name,
                "match": _stated(override.match, CONDITIONS),
                "set": {name: _dump(name, value) for name, value in override.settings.items()},
            }
            for override in document.overrides
        ],
    }


def _document(raw: Any, mistakes: Mistakes) -> BaselineDocument:
    members = parse_members(raw, MEMBERS, "", mistakes)
    if "version" in members and members["version"] != VERSION:
        mistakes.expect("version", str(VERSION), members["version"])
    names = parse_account_names(members.get("account_names", {}), "account_names", mistakes)
    default = parse_fields(members.get("default", {}), REQUIREMENTS, "default", mistakes)
    overrides = members.get("overrides", [])
    if not isinstance(overrides, list):
        mistakes.expect("overrides", "a list", overrides)
        overrides = []
    read = tuple(
        _override(each, f"overrides[{number}]", mistakes) for number, each in enumerate(overrides)
    )
    _unique((each.name for each in read), mistakes)
    return BaselineDocument(Baseline(**default), read, account_names=names)


def _override(raw: Any, path: str, mistakes: Mistakes) -> Override:
    members = parse_members(raw, OVERRIDE, path, mistakes)
    name = parse_sentence(members.get("name"), f"{path}.name", mistakes)
    match = parse_fields(members.get("match"), CONDITIONS, f"{path}.match", mistakes)
    if isinstance(members.get("match"), Mapping) and not any(match.values()):
        mistakes.expect(f"{path}.match", "at least one of " + ", ".join(CONDITIONS), {})
    settings = parse_fields(
        members.get("set"), {**REQUIREMENTS, **EXEMPTION}, f"{path}.set", mistakes
    )
    if settings.get("exempt") and not settings.get("exempt_reason"):
        mistakes.expect(f"{path}.set.exempt_reason", "the reason of the exemption", None)
    return Override(name, Match(**match), settings)


def _unique(names: Iterable[str], mistakes: Mistakes) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name and name in seen:
            mistakes.expect(f"overrides[{number}].name", "a unique name", name)
        seen.add(name)


def _stated(
    holder: Baseline | Match | CentralEndpoints | VpcSelector, fields: Iterable[str]
) -> dict[str, Any]:
    """Return the fields that are not empty."""
    values = {name: _dump(name, getattr(holder, name)) for name in fields}
    return {name: value for name, value in values.items() if value not in ([], {}, None)}


def _dump(name: str, value: Any) -> Any:
    """Return the plain value of a field. No features are not the same as the default ones."""
    return NONE if name == "aws_owned_resources" and value == () else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, CentralEndpoints):
        return _stated(value, CENTRAL_ENDPOINTS)
    if isinstance(value, VpcSelector):
        return _stated(value, SPOKES)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
