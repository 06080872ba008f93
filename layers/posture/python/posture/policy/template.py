"""The texts of a policy taken apart: literal characters, wildcards, variables.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from posture.policy.tokens import (
    ANY,
    FIELD,
    CharacterClass,
    Token,
    match_literal,
    match_many,
    match_one,
)

VARIABLE = re.compile(r"\$\{([^{}]*)\}")
REFERENCE = re.compile(r"\s*([^,'*?$\s][^,'*?$]*?)\s*(?:,\s*'([^']*)')?\s*")
FIELDS = 6  # of an ARN
LITERALS = frozenset("*?$")


class Wildcard:
    """A `*` or `?` that means something."""

    def __init__(self, sign: str) -> None:
        self.sign = sign

    def __repr__(self) -> str:
        return self.sign


MANY, SINGLE = Wildcard("*"), Wildcard("?")


@dataclass(frozen=True, slots=True)
class Variable:
    """A reference to a condition key, in lower case, with the default its author gave."""

    key: str
    default: str | None = None


TemplatePart = str | Wildcard | Variable


@lru_cache(maxsize=4096)
def parse_template(
    text: str, *, variables: bool, wildcards: bool = True
) -> tuple[TemplatePart, ...]:
    """Take a text apart; a run of literal characters is one piece."""
    found: list[TemplatePart] = []
    position = 0
    for match in VARIABLE.finditer(text) if variables else ():
        found += _plain(text[position : match.start()], wildcards=wildcards)
        found.append(_reference(match))
        position = match.end()
    return (*found, *_plain(text[position:], wildcards=wildcards))


def _reference(match: re.Match[str]) -> TemplatePart:
    inner = match[1]
    if inner in LITERALS:
        return inner
    reference = REFERENCE.fullmatch(inner)
    return Variable(reference[1].lower(), reference[2]) if reference else match[0]


def _plain(text: str, *, wildcards: bool) -> Iterable[TemplatePart]:
    if not wildcards:
        return [text] if text else []
    signs = {"*": MANY, "?": SINGLE}
    return [signs.get(part, part) for part in re.split(r"([*?])", text) if part]


def find_variables(parts: Iterable[TemplatePart]) -> frozenset[Variable]:
    """Give the references of a text."""
    return frozenset(part for part in parts if isinstance(part, Variable))


def is_literal(parts: Iterable[TemplatePart]) -> bool:
    """Tell whether a text means just itself."""
    return all(isinstance(part, str) for part in parts)


def substitute_variables(
    parts: Iterable[TemplatePart], known: Mapping[Variable, str | None]
) -> tuple[TemplatePart, ...] | None:
    """Put values in the place of references; None where one has neither a value nor a default."""
    found: list[TemplatePart] = []
    for part in parts:
        if not isinstance(part, Variable):
            found.append(part)
            continue
        value = known.get(part)
        value = part.default if value is None else value
        if value is None:
            return None
        found.append(value)
    return tuple(found)


def compile_glob(
    parts: Iterable[TemplatePart], *, any_case: bool = False, wide: CharacterClass = ANY
) -> tuple[Token, ...]:
    """Give the tokens of a text whose wildcards stand for anything; unresolved references, too."""
    found: list[Token] = []
    for part in parts:
        if isinstance(part, str):
            found += [match_literal(character, any_case=any_case) for character in part]
        else:
            found.append(match_one(wide) if part is SINGLE else match_many(wide))
    return tuple(found)


def is_whole_arn(parts: Iterable[TemplatePart]) -> bool:
    """Tell whether a text has all the fields of an ARN."""
    return sum(part.count(":") for part in parts if isinstance(part, str)) >= FIELDS - 1


def compile_arn(parts: Iterable[TemplatePart], *, wide: CharacterClass = ANY) -> tuple[Token, ...]:
    """Give the tokens of an ARN, whose wildcards stay within the first five fields.

    Fields that are left out at the end are taken as `*`, as AWS completes them.
    """
    parts = tuple(parts)
    if parts and isinstance(parts[0], Wildcard) and not is_whole_arn(parts):
        return compile_glob(parts, wide=wide)  # `*` alone, or no ARN at all
    found: list[Token] = []
    colons = 0
    for part in parts:
        characters = wide if colons >= FIELDS - 1 else FIELD
        if isinstance(part, str):
            colons += part.count(":")
            found += [match_literal(character) for character in part]
        else:
            found.append(match_one(characters) if part is SINGLE else match_many(characters))
    for missing in range(colons, FIELDS - 1):
        found += [match_literal(":"), match_many(wide if missing == FIELDS - 2 else FIELD)]
    return tuple(found)
