"""The texts of rules that alerts show, so that the notifier does not import the rules.

`make docs` writes `rule_texts.json` from the rule catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from posture.rules.controls import Control

PATH = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class RuleText:
    """The problem that a rule reports, why it matters, and the controls it is evidence for."""

    title: str
    rationale: str = ""
    controls: tuple[Control, ...] = ()


RuleTexts = Mapping[str, RuleText]  # by rule id; those of removed rules are missing


def load_rule_texts() -> RuleTexts:
    """Load the texts of every rule, by id."""
    rules = json.loads(PATH.read_text(encoding="utf-8"))
    return {
        name: RuleText(title, rationale, tuple(Control(*each) for each in controls))
        for name, (title, rationale, controls) in rules.items()
    }


def find_title(rules: RuleTexts, rule: str) -> str:
    """Return the title of a rule, or its id if the rule was removed."""
    return rules[rule].title if rule in rules else rule


def serialize_rule_texts(rules: RuleTexts) -> str:
    """Serialize the texts of rules for `load_rule_texts`."""
    texts = {
        name: (rule.title, rule.rationale, [(it.framework, it.id) for it in rule.controls])
        for name, rule in rules.items()
    }
    return json.dumps(texts, indent=1, ensure_ascii=False) + "\n"
