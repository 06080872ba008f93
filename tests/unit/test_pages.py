"""Links and commands on the pages of the documentation exist."""

import re
from pathlib import Path

import pytest

from posture_cli.app import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("events/*.md")],
    key=lambda page: page.relative_to(ROOT).as_posix(),
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"posture ([a-z][a-z-]*)")


def read_text(page: Path) -> str:
    """Return a page without its code blocks."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def find_anchors(page: Path) -> set[str]:
    """Return GitHub's anchors of a page's headings: lower case, hyphens, no punctuation."""
    headings = re.findall(r"^#+ (.+)$", read_text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def find_broken_links(page: Path) -> list[str]:
    """Return the links of a page without a target in this repository."""
    found = []
    for link in LINK.findall(read_text(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in find_anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_has_a_target(page: Path) -> None:
    """A file, a folder, or a heading of a page."""
    assert find_broken_links(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    """If the file or its heading is missing."""
    page = tmp_path / "page.md"
    page.write_text(
        "# Two words, `code`\n[a](#two-words-code) [b](none.md) [c](page.md#none)\n"
        "```\n[d](example.md)\n```\n",
        encoding="utf-8",
    )
    assert find_broken_links(page) == ["none.md", "page.md#none"]


def test_the_commands_on_pages_exist() -> None:
    """README has a row for each command; no page has an unknown one."""
    commands = set(COMMANDS)
    rows = re.findall(r"^\| (`posture .*?`) \|", read_text(ROOT / "README.md"), re.MULTILINE)
    assert {command for row in rows for command in COMMAND.findall(row)} == commands
    for page in PAGES:
        named = re.findall(r"`posture ([a-z][a-z-]*)[^`]*`", page.read_text(encoding="utf-8"))
        assert set(named) - commands == set(), page
