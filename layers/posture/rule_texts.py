"""Writes what alerts say about each rule to a file beside the alerts. Run `make docs`."""

from posture.alerts.rule_texts import PATH, RuleText, serialize_rule_texts
from posture.rules.rule_catalogue import RULES

if __name__ == "__main__":
    texts = {
        it.id: RuleText(it.title, it.rationale, it.controls, it.service_controls) for it in RULES
    }
    PATH.write_text(serialize_rule_texts(texts), encoding="utf-8")
