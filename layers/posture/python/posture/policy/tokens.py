"""The tokens of a pattern: one character, or any number of characters, of a class."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

CharacterClass = str  # a name in CHARACTER_CLASSES, or the characters of the class themselves

ANY = "any"
FIELD = "field"  # of an ARN: no colon
IDENTITY = "identity"  # of a principal: no line break, which separates a role from its session
DIGIT = "digit"
BUCKET = "bucket"
WORD = "word"
REGION = "region"
NAME = "name"  # of a user or role, with its path

CHARACTER_CLASSES: Mapping[CharacterClass, Callable[[str], bool]] = {
    ANY: lambda _: True,
    FIELD: lambda character: character not in ":\n",
    IDENTITY: lambda character: character != "\n",
    DIGIT: lambda character: character in string.digits,
    BUCKET: lambda character: character in string.ascii_lowercase + string.digits + ".-",
    REGION: lambda character: character in string.ascii_lowercase + string.digits + "-",
    NAME: lambda character: character in string.ascii_letters + string.digits + "+=,.@_-/",
    WORD: lambda character: character in string.ascii_lowercase + string.digits,
}
SAMPLES = "x0aX-./:_ ~é\n" + string.ascii_lowercase + string.digits + string.ascii_uppercase
SAMPLES += "+=,@#$%&()[]{}|<>!;'\"^`ßçñøЖ漢"


@dataclass(frozen=True, slots=True)
class Token:
    """One character of a class or, if `repeated`, any number of them."""

    characters: CharacterClass
    repeated: bool = False


@cache
def match_one(characters: CharacterClass) -> Token:
    """Return the token for one character of a class."""
    return Token(characters)


@cache
def match_many(characters: CharacterClass) -> Token:
    """Return the token for any number of characters of a class."""
    return Token(characters, repeated=True)


def match_some(characters: CharacterClass) -> tuple[Token, Token]:
    """Return the tokens for at least one character of a class."""
    return match_one(characters), match_many(characters)


@lru_cache(maxsize=4096)
def match_literal(character: str, *, any_case: bool = False) -> Token:
    """Return the token for one character, or for both cases of it."""
    if any_case:
        return Token("".join(sorted({character.lower(), character.upper()})))
    return Token(character)


def match_text(value: str) -> tuple[Token, ...]:
    """Return the tokens for a literal text."""
    return tuple(map(match_literal, value))


@lru_cache(maxsize=1024)
def pick_representatives(wanted: frozenset[CharacterClass]) -> str:
    """Return the characters to try: each named one, and one for every combination of classes."""
    named = dict.fromkeys(
        character for name in sorted(wanted) if name not in CHARACTER_CLASSES for character in name
    )
    classes = [CHARACTER_CLASSES[name] for name in sorted(wanted) if name in CHARACTER_CLASSES]
    others: dict[tuple[bool, ...], str] = {}
    for character in SAMPLES:
        if character not in named:
            others.setdefault(tuple(contains(character) for contains in classes), character)
    return "".join((*others.values(), *named))
