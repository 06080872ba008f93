"""The texts of rules that alerts show, so that the notifier does not import the rules.

`make docs` writes `rule_texts.json` from the rule catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path

from posture.lean_dataclass import dataclass
from posture.rules.controls import Control, ServiceControls

PATH = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class RuleText:
    """The problem that a rule reports, why it matters, and the controls it is evidence for."""

    title: str
    rationale: str = ""
    controls: tuple[Control, ...] = ()
    service_controls: ServiceControls = field(default_factory=dict, hash=False)


RuleTexts = Mapping[str, RuleText]  # by rule id; those of removed rules are missing


def load_rule_texts() -> RuleTexts:
    """Load the texts of every rule, by id."""
    rules = json.loads(PATH.read_text(encoding="utf-8"))
    return {
        name: RuleText(
            title,
            rationale,
            _parse_controls(controls),
            {service: _parse_controls(each) for service, each in by_service.items()},
        )
        for name, (title, rationale, controls, by_service) in rules.items()
    }


def find_title(rules: RuleTexts, rule: str) -> str:
    """Return the title of a rule, or its id if the rule was removed."""
    return rules[rule].title if rule in rules else rule


def serialize_rule_texts(rules: RuleTexts) -> str:
    """Serialize the texts of rules for `load_rule_texts`."""
    texts = {
        name: (
            rule.title,
            rule.rationale,
            _name_controls(rule.controls),
            {service: _name_controls(each) for service, each in rule.service_controls.items()},
        )
        for name, rule in rules.items()
    }
    return json.dumps(texts, indent=1, ensure_ascii=False) + "\n"


def _parse_controls(named: Iterable[tuple[str, str]]) -> tuple[Control, ...]:
    return tuple(Control(*each) for each in named)


def _name_controls(controls: Iterable[Control]) -> list[tuple[str, str]]:
    return [(each.framework, each.id) for each in controls]
