"""Makes text from elsewhere (tags, policies, error messages) harmless for a terminal."""

import unicodedata

# control, format (direction marks), private use, surrogates, line and paragraph separators
HARMFUL = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def make_printable(text: object) -> str:
    r"""Return text on one line, with `\x1b` and the like for what a terminal would obey."""
    plain = str(text)
    if plain.isascii() and plain.isprintable():
        return plain
    return "".join(_escape(character) for character in plain)


def _escape(character: str) -> str:
    if unicodedata.category(character) not in HARMFUL:
        return character
    return character.encode("unicode_escape").decode("ascii")


def make_lines_printable(text: str) -> str:
    """Make text printable and keep its line breaks."""
    return "\n".join(make_printable(line) for line in text.splitlines())
