"""Where the functions read the members from."""

import pytest

from posture.errors import SettingsError
from posture.runtime.settings import MemberAccess, Settings

ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "MONITORED_ACCOUNT": "111122223333",
    **{
        f"{name}_TABLE": name.lower()
        for name in ("FINDINGS", "HISTORY", "BASELINE", "OWNERSHIP", "IDEMPOTENCY")
    },
    "ALERT_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:alerts",
    "STACK_NAME": "posture",
    "RESOLVED_FINDING_DAYS": "0",
}
ROLE = {"MEMBER_ROLE_NAME": "posture-look", "MEMBER_EXTERNAL_ID": "our-external-id"}


def read(**variables: str) -> MemberAccess:
    """Return the members of an environment."""
    return Settings.from_env(ENVIRONMENT | variables).members


def test_members_are_those_of_the_parameter_or_of_the_table() -> None:
    """Without either there are none, and no role is needed."""
    accounts = ("111111111111", "222222222222")
    listed = MemberAccess(accounts, "posture-look", "our-external-id")
    assert read() == read(MEMBERS="parameter") == MemberAccess()
    assert read(**ROLE, MEMBER_ACCOUNTS=",".join(accounts)) == listed
    assert read(**ROLE, MEMBER_ACCOUNTS=",".join(accounts), MEMBERS="parameter") == listed
    twice = ",".join([*accounts, accounts[0]])
    assert read(**ROLE, MEMBER_ACCOUNTS=twice) == listed
    in_table = MemberAccess((), "posture-look", "our-external-id", in_table=True)
    assert read(**ROLE, MEMBERS="table", MEMBER_ACCOUNTS="") == in_table


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"MEMBERS": "organization"}, "MEMBERS: expected parameter or table, got 'organization'"),
        ({"MEMBERS": "table"}, "MEMBER_ROLE_NAME: expected .*; MEMBER_EXTERNAL_ID: expected"),
        (
            {"MEMBERS": "table", "MEMBER_ACCOUNTS": "111111111111", **ROLE},
            "MEMBER_ACCOUNTS: expected none with MEMBERS=table, got '111111111111'",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(variables: dict[str, str], message: str) -> None:
    """Accounts of a parameter that is not read would not be watched, without a word."""
    with pytest.raises(SettingsError, match=message):
        read(**variables)
