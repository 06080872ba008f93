"""What alerts say of a rule, apart from the rule: who tells need not load all of judging.

`rule_texts.json` is written from the catalogue by `make docs`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from posture.rules.controls import Control

PATH = Path(__file__).with_suffix(".json")


class RuleText(Protocol):
    """The part of a rule that alerts show."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def title(self) -> str:
        """What is wrong when it fails."""

    @property
    def rationale(self) -> str:
        """Why that matters."""

    @property
    def controls(self) -> tuple[Control, ...]:
        """The controls it helps to show."""


RuleTexts = Mapping[str, RuleText]  # by id


@dataclass(frozen=True, slots=True)
class StoredRuleText:
    """A rule's texts as they are stored."""

    id: str
    title: str
    rationale: str
    controls: tuple[Control, ...]


def load_rule_texts() -> RuleTexts:
    """Give the texts of every rule of the catalogue."""
    rules = json.loads(PATH.read_text(encoding="utf-8"))
    return {
        name: StoredRuleText(name, title, rationale, tuple(Control(*each) for each in controls))
        for name, (title, rationale, controls) in rules.items()
    }


def serialise_rule_texts(rules: Iterable[RuleText]) -> str:
    """Give the texts as `stored` reads them."""
    texts = {
        rule.id: (rule.title, rule.rationale, [(it.framework, it.id) for it in rule.controls])
        for rule in rules
    }
    return json.dumps(texts, indent=1, ensure_ascii=False) + "\n"
