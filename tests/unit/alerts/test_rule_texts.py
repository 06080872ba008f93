"""The stored rule texts are those of the rule catalogue."""

from posture.alerts.rule_texts import PATH, RuleText, load_rule_texts, serialize_rule_texts
from posture.rules.rule_catalogue import RULES


def test_the_stored_texts_are_those_of_the_rules() -> None:
    """Run `make docs` to update them."""
    texts = {
        it.id: RuleText(it.title, it.rationale, it.controls, it.service_controls) for it in RULES
    }
    assert PATH.read_text(encoding="utf-8") == serialize_rule_texts(texts)


def test_rule_texts_round_trip() -> None:
    """Title, rationale and controls of each rule."""
    texts = load_rule_texts()
    assert list(texts) == [rule.id for rule in RULES]
    for rule in RULES:
        text = texts[rule.id]
        assert (text.title, text.rationale) == (rule.title, rule.rationale)
        assert text.controls == rule.controls
        assert text.service_controls == rule.service_controls
