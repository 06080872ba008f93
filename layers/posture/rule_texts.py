"""Writes what alerts say about each rule to a file beside the alerts. Run `make docs`."""

from posture.alerts.rule_texts import PATH, serialise_rule_texts
from posture.rules.rule_catalogue import RULES

if __name__ == "__main__":
    PATH.write_text(serialise_rule_texts(RULES), encoding="utf-8")
