"""Write what alerts say of each rule beside the alerts, from the catalogue. Run: `make docs`."""

from posture.alerts.rule_texts import STORED, written
from posture.rules.rule_catalogue import RULES

if __name__ == "__main__":
    STORED.write_text(written(RULES), encoding="utf-8")
