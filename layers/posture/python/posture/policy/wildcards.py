"""Matching one text with one pattern, character by character, for the plain evaluator."""

from __future__ import annotations

import re
from collections.abc import Mapping

# The characters of a pattern; None stands for `*`, and "" for `?`.
Text = tuple[str | None, ...]

FIELDS = 6  # of an ARN
REFERENCE = re.compile(r"\$\{\s*([^,'*?$\s{}][^,'*?${}]*?)\s*(?:,\s*'([^'{}]*)')?\s*\}")
SPECIAL = re.compile(r"\$\{([*?$])\}")


def substituted(
    value: str, context: Mapping[str, tuple[str, ...]] | None, *, wildcards: bool
) -> Text | None:
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


def pattern(value: str) -> Text:
    """Read a value that holds no references."""
    return substituted(value, None, wildcards=True) or ()


def glob_matches(pattern: Text, text: str) -> bool:
    """Tell whether a text matches, going back to the last `*` when it does not."""
    at = here = 0
    star, resume = -1, 0
    while here < len(text):
        if at < len(pattern) and pattern[at] is None:
            star, resume = at, here
            at += 1
        elif at < len(pattern) and pattern[at] in {text[here], ""}:
            at += 1
            here += 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return all(each is None for each in pattern[at:])


def arn_matches(pattern: Text, arn: str) -> bool:
    """Tell whether an ARN matches field by field; the sixth field may hold colons.

    Fields that a resource leaves out at the end stand for anything.
    """
    wanted = _fields(pattern)
    if len(wanted) < FIELDS and pattern[:1] in {(None,), ("",)}:
        return glob_matches(pattern, arn)
    given = arn.split(":", 5)
    if len(given) < len(wanted):
        return False
    wanted += [(None,)] * (len(given) - len(wanted))
    return all(map(glob_matches, wanted, given))


def whole_arn_matches(pattern: Text, arn: str) -> bool:
    """Tell whether an ARN matches one of a condition, which has all fields, or is `*`."""
    if all(each is None for each in pattern):
        return True
    both = len(_fields(pattern)) == FIELDS and arn.count(":") >= FIELDS - 1
    return both and arn_matches(pattern, arn)


def _fields(pattern: Text) -> list[Text]:
    fields: list[Text] = []
    rest = pattern
    while ":" in rest and len(fields) < FIELDS - 1:
        end = rest.index(":")
        fields.append(rest[:end])
        rest = rest[end + 1 :]
    return [*fields, rest]
