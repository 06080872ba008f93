"""Text from elsewhere (tags, policies, error messages) made harmless for a terminal."""

from __future__ import annotations

import unicodedata

# control, format (direction marks), private use, surrogates, line and paragraph separators
HARMFUL = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def printable(text: object) -> str:
    r"""Show what a terminal would obey, as in `\x1b`; a line break is shown as such."""
    return "".join(_shown(character) for character in str(text))


def _shown(character: str) -> str:
    if unicodedata.category(character) not in HARMFUL:
        return character
    return character.encode("unicode_escape").decode("ascii")


def lines(text: str) -> str:
    """Make a text of several lines harmless and keep its line breaks."""
    return "\n".join(printable(line) for line in text.splitlines())
