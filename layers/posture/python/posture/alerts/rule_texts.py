"""The texts of rules that alerts show, so that the notifier need not import the rules.

`make docs` writes `rule_texts.json` from the rule catalogue.
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
    """The texts of a rule that alerts show."""

    @property
    def id(self) -> str:
        """The rule id."""

    @property
    def title(self) -> str:
        """The problem that a failure reports."""

    @property
    def rationale(self) -> str:
        """Why a failure matters."""

    @property
    def controls(self) -> tuple[Control, ...]:
        """The controls for which the rule is evidence."""


RuleTexts = Mapping[str, RuleText]  # by id


@dataclass(frozen=True, slots=True)
class StoredRuleText:
    """The texts of a rule as stored in `rule_texts.json`."""

    id: str
    title: str
    rationale: str
    controls: tuple[Control, ...]


def load_rule_texts() -> RuleTexts:
    """Load the texts of every rule, by id."""
    rules = json.loads(PATH.read_text(encoding="utf-8"))
    return {
        name: StoredRuleText(name, title, rationale, tuple(Control(*each) for each in controls))
        for name, (title, rationale, controls) in rules.items()
    }


def serialise_rule_texts(rules: Iterable[RuleText]) -> str:
    """Serialize the texts of rules for `load_rule_texts`."""
    texts = {
        rule.id: (rule.title, rule.rationale, [(it.framework, it.id) for it in rule.controls])
        for rule in rules
    }
    return json.dumps(texts, indent=1, ensure_ascii=False) + "\n"
