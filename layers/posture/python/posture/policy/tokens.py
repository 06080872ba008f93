"""The tokens of patterns: one character or many, of a class."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

CharacterClass = str  # the name of a class, or the characters it consists of

ANY = "any"
FIELD = "field"  # of an ARN: no colon
IDENTITY = "identity"  # of a principal: no line break, which sets the session's name apart
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
POOL = "x0aX-./:_ ~é\n" + string.ascii_lowercase + string.digits + string.ascii_uppercase
POOL += "+=,@#$%&()[]{}|<>!;'\"^`ßçñøЖ漢"


@dataclass(frozen=True, slots=True)
class Token:
    """One character of a class, or any number of them."""

    characters: CharacterClass
    repeated: bool = False


ONES: dict[CharacterClass, Token] = {name: Token(name) for name in CHARACTER_CLASSES}
STARS: dict[CharacterClass, Token] = {
    name: Token(name, repeated=True) for name in CHARACTER_CLASSES
}
LITERALS: dict[str, Token] = {}


def match_one(characters: CharacterClass) -> Token:
    """Give the token of one character of a class."""
    return ONES[characters]


def match_many(characters: CharacterClass) -> Token:
    """Give the token of any number of characters of a class."""
    return STARS[characters]


def match_literal(character: str, *, any_case: bool = False) -> Token:
    """Give the token of a character, or of both its cases."""
    characters = "".join(sorted({character.lower(), character.upper()})) if any_case else character
    if characters not in LITERALS:
        LITERALS[characters] = Token(characters)
    return LITERALS[characters]


def match_text(value: str) -> tuple[Token, ...]:
    """Give the tokens of a literal text."""
    return tuple(match_literal(character) for character in value)


@lru_cache(maxsize=1024)
def pick_representatives(wanted: frozenset[CharacterClass]) -> str:
    """Give the characters to try: each that a pattern names, and one of every other kind."""
    named = dict.fromkeys(
        character
        for characters in sorted(wanted)
        if characters not in CHARACTER_CLASSES
        for character in characters
    )
    general = [
        CHARACTER_CLASSES[characters]
        for characters in sorted(wanted)
        if characters in CHARACTER_CLASSES
    ]
    others: dict[tuple[bool, ...], str] = {}
    for character in POOL:
        if character not in named:
            others.setdefault(tuple(belongs(character) for belongs in general), character)
    return "".join((*others.values(), *named))
