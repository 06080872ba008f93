"""Write what alerts say of each rule beside the alerts, from the catalogue. Run: `make docs`."""

from posture.alerts.rule_texts import PATH, serialise_rule_texts
from posture.rules.rule_catalogue import RULES

if __name__ == "__main__":
    PATH.write_text(serialise_rule_texts(RULES), encoding="utf-8")
