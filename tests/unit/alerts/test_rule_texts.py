"""What alerts say of rules is what the catalogue says, without loading the catalogue."""

from posture.alerts.rule_texts import PATH, load_rule_texts, serialise_rule_texts
from posture.rules.rule_catalogue import RULES


def test_the_stored_texts_are_those_of_the_rules() -> None:
    """`make docs` writes them anew."""
    assert PATH.read_text(encoding="utf-8") == serialise_rule_texts(RULES)


def test_each_rule_reads_back_as_it_is() -> None:
    """Its title, its rationale and the controls it helps to show."""
    texts = load_rule_texts()
    assert list(texts) == [rule.id for rule in RULES]
    for rule in RULES:
        text = texts[rule.id]
        assert (text.title, text.rationale) == (rule.title, rule.rationale)
        assert text.controls == rule.controls
