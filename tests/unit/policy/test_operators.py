"""How the name of a condition operator is read."""

import pytest

from posture.policy.operators import OperatorFamily, parse_operator


@pytest.mark.parametrize(
    "written", ["NullIfExists", "ForAllValues:Null", "ForAnyValue:nullIfExists"]
)
def test_null_has_no_other_form(written: str) -> None:
    """It asks whether a key exists, and compares no value.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    assert parse_operator(written).family is OperatorFamily.UNKNOWN
    assert parse_operator("Null").family is OperatorFamily.PRESENCE
