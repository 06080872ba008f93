"""Match one text with one pattern, character by character, for the evaluator of requests.

The search for requests matches with `template` and `automata` instead, so that the evaluator
can confirm what the search finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

# The characters of a pattern; None stands for `*`, and "" for `?`.
PatternText = tuple[str | None, ...]
WILDCARDS: Mapping[str, str | None] = {"*": None, "?": ""}

ARN_FIELDS = 6
NAME = r"[^,'*?$\s{}]++(?:\s++[^,'*?$\s{}]++)*+"  # possessive: a run of spaces is read once
REFERENCE = re.compile(rf"\$\{{\s*+({NAME})\s*+(?:,\s*+'([^'{{}}]*+)')?+\s*+\}}")
SPECIAL = re.compile(r"\$\{([*?$])\}")


def resolve_text(
    value: str, context: Mapping[str, tuple[str, ...]] | None, *, wildcards: bool
) -> PatternText | None:
    """Read a value of a policy, with its variables replaced.

    Args:
        value: The value as the policy writes it.
        context: The condition keys of the request; None if `${…}` is literal text.
        wildcards: Whether `*` and `?` are wildcards.

    Returns:
        The pattern; None if a variable has neither a value nor a default.
    """
    if context is None or "$" not in value:
        return tuple(WILDCARDS.get(each, each) for each in value) if wildcards else tuple(value)
    found: list[str | None] = []
    position = 0
    while position < len(value):
        if special := SPECIAL.match(value, position):
            found.append(special[1])
            position = special.end()
        elif reference := REFERENCE.match(value, position):
            held = context.get(reference[1].lower(), ())
            text = held[0] if held else reference[2]
            if text is None:
                return None
            found += text
            position = reference.end()
        else:
            character = value[position]
            found.append(WILDCARDS.get(character, character) if wildcards else character)
            position += 1
    return tuple(found)


def resolve_resources(
    values: Iterable[str], context: Mapping[str, tuple[str, ...]] | None
) -> list[PatternText]:
    """Read the resources of a statement, in whose ARNs no variable counts before the fifth colon.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    found: list[PatternText] = []
    for value in values:
        fields = re.sub(r"\$\{[^}]*\}", lambda each: "_" * len(each[0]), value)
        starts = [at for at, each in enumerate(fields) if each == ":"]
        start = starts[ARN_FIELDS - 2] + 1 if len(starts) >= ARN_FIELDS - 1 else len(value)
        before = resolve_text(value[:start], None, wildcards=True) or ()
        after = resolve_text(value[start:], context, wildcards=True)
        if after is not None:
            found.append((*before, *after))
    return found


def resolve_all(
    values: Iterable[str], context: Mapping[str, tuple[str, ...]] | None, *, wildcards: bool
) -> list[PatternText]:
    """Read several values, without those that `resolve_text` has no pattern for."""
    found = (resolve_text(value, context, wildcards=wildcards) for value in values)
    return [each for each in found if each is not None]


def glob_matches(pattern: PatternText, text: str) -> bool:
    """Return whether a text matches a pattern: each part between two `*` at its first place.

    The standard library searches for the parts, since both may be as long as a policy.
    """
    first, *others = _split_at_stars(pattern)
    if not others:
        return len(first) == len(text) and _is_at(0, first, text)
    last = others.pop()
    at, end = len(first), len(text) - len(last)
    if at > end or not (_is_at(0, first, text) and _is_at(end, last, text)):
        return False
    for part in others:
        if "" in part:
            found = _compile_part(part).search(text, at, end)
            place = found.start() if found else -1
        else:
            place = text.find("".join(filter(None, part)), at, end)
        if place < 0:
            return False
        at = place + len(part)
    return True


def _is_at(place: int, part: PatternText, text: str) -> bool:
    if "" in part:
        return _compile_part(part).match(text, place) is not None
    return text.startswith("".join(filter(None, part)), place)


def _split_at_stars(pattern: PatternText) -> list[PatternText]:
    parts: list[PatternText] = []
    begin = 0
    for at, sign in enumerate(pattern):
        if sign is None:
            parts.append(pattern[begin:at])
            begin = at + 1
    return [*parts, pattern[begin:]]


@lru_cache(maxsize=256)
def _compile_part(part: PatternText) -> re.Pattern[str]:
    """Return the regular expression of a part without `*`."""
    return re.compile("".join(re.escape(each) if each else "." for each in part), re.DOTALL)


def arn_matches(pattern: PatternText, arn: str, *, whole: bool = False) -> bool:
    """Return whether an ARN matches field by field; the sixth field may hold colons.

    Args:
        pattern: The pattern. Fields that it leaves out at the end match anything.
        arn: The ARN.
        whole: Match only patterns and ARNs with all six fields, as conditions do, besides `*`.
    """
    wanted = _split_fields(pattern)
    if whole and (len(wanted) < ARN_FIELDS or arn.count(":") < ARN_FIELDS - 1):
        return bool(pattern) and all(each is None for each in pattern)
    if len(wanted) < ARN_FIELDS and pattern[:1] in {(None,), ("",)}:
        return glob_matches(pattern, arn)
    given = arn.split(":", 5)
    if len(given) < len(wanted):
        return False
    wanted += [(None,)] * (len(given) - len(wanted))
    return all(map(glob_matches, wanted, given))


def resource_matches(pattern: PatternText, arn: str) -> bool:
    """Return whether a resource matches, where a `*` that ends a field also spans colons.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
    """
    return arn_matches(pattern, arn) or _matches_spanning(pattern, arn)


def _matches_spanning(pattern: PatternText, text: str) -> bool:
    """Advance the set of places in the text that the pattern reaches, held as bits."""
    places: dict[str, int] = {}
    for at, character in enumerate(text):
        places[character] = places.get(character, 0) | 1 << at
    every = (1 << len(text)) - 1
    reached, colons, within = 1, 0, every & ~places.get(":", 0)
    for at, each in enumerate(pattern):
        is_last = pattern[at + 1 : at + 2] in {(), (":",)}
        if colons >= ARN_FIELDS - 1:
            within = every
        if each is None and (is_last or within == every):
            reached = (2 * every + 1) & -(reached & -reached)  # all places from the first one on
        elif each is None:
            # The sum carries each place through the characters behind it up to the next colon.
            start = reached & within
            reached |= (start + within) ^ within
        else:
            reached = (reached & (places.get(each, 0) if each else within)) << 1
        colons += each == ":"
        if not reached:
            return False
    return bool(reached >> len(text) & 1)


def _split_fields(pattern: PatternText) -> list[PatternText]:
    fields: list[PatternText] = []
    rest = pattern
    while ":" in rest and len(fields) < ARN_FIELDS - 1:
        end = rest.index(":")
        fields.append(rest[:end])
        rest = rest[end + 1 :]
    return [*fields, rest]
