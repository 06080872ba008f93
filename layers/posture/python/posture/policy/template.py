"""Take the texts of a policy apart into literal characters, wildcards and policy variables.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from posture.lean_dataclass import dataclass
from posture.policy.automata import Pattern, PatternSet, compile_patterns
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
# Possessive, so that a long run of spaces is read once.
REFERENCE = re.compile(r"\s*+([^,'*?$\s]++(?:\s++[^,'*?$\s]++)*+)\s*+(?:,\s*+'([^']*+)')?+\s*+")
ARN_FIELDS = 6
SPECIAL = frozenset("*?$")


class Wildcard:
    """A `*` or `?` that is a wildcard."""

    def __init__(self, sign: str) -> None:
        self.sign = sign

    def __repr__(self) -> str:
        return self.sign


MANY, SINGLE = Wildcard("*"), Wildcard("?")


@dataclass(frozen=True, slots=True)
class Variable:
    """A policy variable: a condition key in lower case, and its default if it has one."""

    key: str
    default: str | None = None


TemplatePart = str | Wildcard | Variable
Template = tuple[TemplatePart, ...]


@lru_cache(maxsize=4096)
def parse_template(text: str, *, variables: bool = False, wildcards: bool = True) -> Template:
    """Split a text into parts; a run of literal characters is one part.

    Args:
        text: The text as the policy writes it.
        variables: Whether `${…}` is a policy variable.
        wildcards: Whether `*` and `?` are wildcards.
    """
    found: list[TemplatePart] = []
    position = 0
    for match in VARIABLE.finditer(text) if variables else ():
        found += _split_wildcards(text[position : match.start()], wildcards=wildcards)
        found.append(_parse_reference(match))
        position = match.end()
    return (*found, *_split_wildcards(text[position:], wildcards=wildcards))


def _parse_reference(match: re.Match[str]) -> TemplatePart:
    inner = match[1]
    if inner in SPECIAL:
        return inner
    reference = REFERENCE.fullmatch(inner)
    return Variable(reference[1].lower(), reference[2]) if reference else match[0]


def _split_wildcards(text: str, *, wildcards: bool) -> Iterable[TemplatePart]:
    if not wildcards:
        return [text] if text else []
    signs = {"*": MANY, "?": SINGLE}
    return [signs.get(part, part) for part in re.split(r"([*?])", text) if part]


def find_variables(parts: Iterable[TemplatePart]) -> frozenset[Variable]:
    """Return the policy variables of a text."""
    return frozenset(part for part in parts if isinstance(part, Variable))


def is_literal(parts: Iterable[TemplatePart]) -> bool:
    """Return whether a text has neither wildcards nor variables."""
    return all(isinstance(part, str) for part in parts)


def substitute_variables(
    parts: Iterable[TemplatePart], known: Mapping[Variable, str | None]
) -> Template | None:
    """Replace variables by their values; None if one has neither a value nor a default."""
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
) -> Pattern:
    """Return the pattern of a text whose wildcards, and variables, match characters of `wide`."""
    found: list[Token] = []
    for part in parts:
        if isinstance(part, str):
            found += [match_literal(character, any_case=any_case) for character in part]
        else:
            found.append(match_one(wide) if part is SINGLE else match_many(wide))
    return tuple(found)


def compile_globs(texts: Iterable[str], *, wide: CharacterClass = ANY) -> PatternSet:
    """Return the pattern set of some texts without variables."""
    return compile_patterns(*(compile_glob(parse_template(text), wide=wide) for text in texts))


def is_whole_arn(parts: Iterable[TemplatePart]) -> bool:
    """Return whether a text has all the fields of an ARN."""
    return sum(part.count(":") for part in parts if isinstance(part, str)) >= ARN_FIELDS - 1


@lru_cache(maxsize=4096)
def parse_resource(text: str, *, variables: bool = False) -> Template:
    """Split a resource into parts, where `${…}` is literal text before the fifth colon.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    colons = 0
    for match in re.finditer(r"\$\{[^{}]*\}|:", text):
        colons += match[0] == ":"
        if colons == ARN_FIELDS - 1:
            end = match.end()
            after = parse_template(text[end:], variables=variables)
            return (*parse_template(text[:end]), *after)
    return parse_template(text)


def compile_resource(parts: Iterable[TemplatePart]) -> tuple[Pattern, ...]:
    """Return the patterns of a resource: as an ARN, and with `*` across colons.

    A `*` that is the last character of a field can also match beyond the field's colon.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    parts = tuple(parts)
    whole = compile_arn(parts)
    colons, at_end = 0, False
    for part, after in zip(parts, (*parts[1:], ""), strict=True):
        colons += part.count(":") if isinstance(part, str) else 0
        is_last = isinstance(after, str) and after[:1] in {"", ":"}
        at_end = at_end or (part is MANY and colons < ARN_FIELDS - 1 and is_last)
    return (whole, compile_arn(parts, spanning=True)) if at_end else (whole,)


def compile_arn(
    parts: Iterable[TemplatePart], *, wide: CharacterClass = ANY, spanning: bool = False
) -> Pattern:
    """Return the pattern of an ARN, in whose first five fields wildcards match no colon.

    Fields that are left out at the end count as `*`, as AWS completes them. `spanning`: a `*` at
    the end of a field spans colons instead, so that nothing is left out.
    """
    parts = tuple(parts)
    if parts and isinstance(parts[0], Wildcard) and not is_whole_arn(parts):
        return compile_glob(parts, wide=wide)  # `*` alone, or not an ARN
    found: list[Token] = []
    colons = 0
    for part, after in zip(parts, (*parts[1:], ""), strict=True):
        is_last = isinstance(after, str) and after[:1] in {"", ":"}
        spans = spanning and part is MANY and is_last
        characters = wide if spans or colons >= ARN_FIELDS - 1 else FIELD
        if isinstance(part, str):
            colons += part.count(":")
            found += map(match_literal, part)
        else:
            found.append(match_one(characters) if part is SINGLE else match_many(characters))
    for missing in range(colons, 0 if spanning else ARN_FIELDS - 1):
        found += [match_literal(":"), match_many(wide if missing == ARN_FIELDS - 2 else FIELD)]
    return tuple(found)
