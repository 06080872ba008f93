"""Matching one text with one pattern, character by character, for the plain evaluator."""

from __future__ import annotations

import re
from collections.abc import Mapping

# The characters of a pattern; None stands for `*`, and "" for `?`.
PatternText = tuple[str | None, ...]

FIELDS = 6  # of an ARN
REFERENCE = re.compile(r"\$\{\s*([^,'*?$\s{}][^,'*?${}]*?)\s*(?:,\s*'([^'{}]*)')?\s*\}")
SPECIAL = re.compile(r"\$\{([*?$])\}")


def resolve_text(
    value: str, context: Mapping[str, tuple[str, ...]] | None, *, wildcards: bool
) -> PatternText | None:
    """Read a value of a policy; without a context, `${…}` is literal.

    Gives None where a reference has neither a value nor a default.
    """
    found: list[str | None] = []
    position = 0
    while position < len(value):
        if context is not None and (special := SPECIAL.match(value, position)):
            found.append(special[1])
            position = special.end()
        elif context is not None and (reference := REFERENCE.match(value, position)):
            held = context.get(reference[1].lower(), ())
            text = held[0] if held else reference[2]
            if text is None:
                return None
            found += text
            position = reference.end()
        else:
            character = value[position]
            found.append({"*": None, "?": ""}.get(character, character) if wildcards else character)
            position += 1
    return tuple(found)


def parse_pattern(value: str) -> PatternText:
    """Read a value that holds no references."""
    return resolve_text(value, None, wildcards=True) or ()


def glob_matches(parse_pattern: PatternText, text: str) -> bool:
    """Tell whether a text matches, going back to the last `*` when it does not."""
    at = here = 0
    star, resume = -1, 0
    while here < len(text):
        if at < len(parse_pattern) and parse_pattern[at] is None:
            star, resume = at, here
            at += 1
        elif at < len(parse_pattern) and parse_pattern[at] in {text[here], ""}:
            at += 1
            here += 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return all(each is None for each in parse_pattern[at:])


def arn_matches(parse_pattern: PatternText, arn: str) -> bool:
    """Tell whether an ARN matches field by field; the sixth field may hold colons.

    Fields that a resource leaves out at the end stand for anything.
    """
    wanted = _fields(parse_pattern)
    if len(wanted) < FIELDS and parse_pattern[:1] in {(None,), ("",)}:
        return glob_matches(parse_pattern, arn)
    given = arn.split(":", 5)
    if len(given) < len(wanted):
        return False
    wanted += [(None,)] * (len(given) - len(wanted))
    return all(map(glob_matches, wanted, given))


def whole_arn_matches(parse_pattern: PatternText, arn: str) -> bool:
    """Tell whether an ARN matches one of a condition, which has all fields, or is `*`."""
    if all(each is None for each in parse_pattern):
        return True
    both = len(_fields(parse_pattern)) == FIELDS and arn.count(":") >= FIELDS - 1
    return both and arn_matches(parse_pattern, arn)


def _fields(parse_pattern: PatternText) -> list[PatternText]:
    fields: list[PatternText] = []
    rest = parse_pattern
    while ":" in rest and len(fields) < FIELDS - 1:
        end = rest.index(":")
        fields.append(rest[:end])
        rest = rest[end + 1 :]
    return [*fields, rest]
