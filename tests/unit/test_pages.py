"""What the pages point to is there: files, headings, verbs."""

import re
from pathlib import Path

import pytest

from posture_cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("events/*.md")],
    key=lambda page: page.relative_to(ROOT).as_posix(),
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
VERB = re.compile(r"posture ([a-z]+)")


def text_of(page: Path) -> str:
    """Give a page without its examples, where brackets mean other things."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Give what GitHub names a page's headings: in small letters, with hyphens, without marks."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def broken(page: Path) -> list[str]:
    """Give the links of a page that lead to nothing in this repository."""
    found = []
    for link in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file, a folder, or a heading of a page."""
    assert broken(page) == []


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    """Whether the file or its heading is missing."""
    page = tmp_path / "page.md"
    page.write_text(
        "# Two words, `code`\n[a](#two-words-code) [b](none.md) [c](page.md#none)\n"
        "```\n[d](example.md)\n```\n",
        encoding="utf-8",
    )
    assert broken(page) == ["none.md", "page.md#none"]


def test_the_verbs_that_pages_name_are_there() -> None:
    """README has a row for each; no page tells of another."""
    verbs = {each.callback.__name__ for each in app.registered_commands if each.callback}
    verbs |= {str(each.name) for each in app.registered_groups}
    rows = re.findall(r"^\| (`posture .*?`) \|", text_of(ROOT / "README.md"), re.MULTILINE)
    assert {verb for row in rows for verb in VERB.findall(row)} == verbs
    for page in PAGES:
        told = re.findall(r"`posture ([a-z]+)[^`]*`", page.read_text(encoding="utf-8"))
        assert set(told) - verbs == set(), page
