"""The tokens of a pattern: one character, or any number of characters, of a class."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from functools import cache, lru_cache

from posture.lean_dataclass import dataclass

CharacterClass = str  # a name in CHARACTER_CLASSES, or the characters of the class themselves

ANY = "any"
FIELD = "field"  # of an ARN: no colon
IDENTITY = "identity"  # of a principal: no line break, which separates a role from its session
DIGIT = "digit"
BUCKET = "bucket"
WORD = "word"
REGION = "region"
NAME = "name"  # of a user, a role or a session
PATH = "path"  # of a user or role
IDENTIFIER = "identifier"  # a unique ID of IAM, behind its prefix

CHARACTER_CLASSES: Mapping[CharacterClass, Callable[[str], bool]] = {
    ANY: lambda _: True,
    FIELD: lambda character: character not in ":\n",
    IDENTITY: lambda character: character != "\n",
    DIGIT: lambda character: character in string.digits,
    BUCKET: lambda character: character in string.ascii_letters + string.digits + "._-",
    REGION: lambda character: character in string.ascii_lowercase + string.digits + "-",
    NAME: lambda character: character in string.ascii_letters + string.digits + "+=,.@_-",
    PATH: lambda character: "!" <= character <= "~",
    IDENTIFIER: lambda character: character in string.ascii_uppercase + string.digits,
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


class Alphabet:
    """The characters that some classes can tell apart.

    Of those that no class names, there is one for every combination of classes that contain it.
    """

    def __init__(self, wanted: frozenset[CharacterClass]) -> None:
        named = "".join(name for name in sorted(wanted) if name not in CHARACTER_CLASSES)
        classes = [CHARACTER_CLASSES[name] for name in sorted(wanted) if name in CHARACTER_CLASSES]
        self._chosen: dict[frozenset[str], str] = {}
        self._others: dict[tuple[bool, ...], str] = {}
        self._named: dict[str, tuple[bool, ...]] = {}
        for character in named:
            self._named[character] = tuple(contains(character) for contains in classes)
        for character in SAMPLES:
            if character not in self._named:
                combination = tuple(contains(character) for contains in classes)
                self._others.setdefault(combination, character)

    def choose(self, naming: frozenset[str]) -> str:
        """Return the characters to try where those that matter by name are `naming`."""
        found = self._chosen.get(naming)
        if found is None:
            covered, tried = set(self._others), [*self._others.values()]
            for character, combination in self._named.items():
                if character in naming:
                    tried.append(character)
                elif combination not in covered:  # one stands for all that do not matter by name
                    covered.add(combination)
                    tried.append(character)
            found = self._chosen[naming] = "".join(tried)
        return found


pick_alphabet = lru_cache(maxsize=1024)(Alphabet)
