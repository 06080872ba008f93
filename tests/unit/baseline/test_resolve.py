"""What holds for one scope: the default, overridden in order."""

from typing import Any

import pytest

from posture.baseline.parse import parse_document
from posture.baseline.resolve import resolve_baseline
from posture.model.scope import Scope

OWN = "111122223333"
SCOPE = Scope(OWN, "eu-west-1", "vpc-0aaaaaaaaaaaaaaa1")


def override(match: dict[str, Any], name: str = "x", **settings: Any) -> dict[str, Any]:
    """Return an override that requires KMS by default."""
    return {"name": name, "match": match, "set": settings or {"required_services": ["kms"]}}


def required(*overrides: dict[str, Any], tags: dict[str, str] | None = None) -> tuple[str, ...]:
    """Return the services that are required of the scope."""
    document = parse_document(
        {"default": {"required_services": ["s3"]}, "overrides": list(overrides)}
    )
    return resolve_baseline(document, SCOPE, tags or {}).required_services


def test_without_overrides_the_default_holds() -> None:
    """For every scope."""
    assert required() == ("s3",)


@pytest.mark.parametrize(
    ("match", "concerns"),
    [
        ({"accounts": [OWN]}, True),
        ({"accounts": ["444455556666"]}, False),
        ({"accounts": ["444455556666", OWN]}, True),
        ({"regions": ["eu-west-1"]}, True),
        ({"regions": ["us-east-1"]}, False),
        ({"vpcs": [SCOPE.subject]}, True),
        ({"vpcs": ["vpc-0bbbbbbbbbbbbbbb1"]}, False),
        ({"tags": {"stage": "prod"}}, True),
        ({"tags": {"stage": ["test", "prod"]}}, True),
        ({"tags": {"stage": "*"}}, True),
        ({"tags": {"stage": "test"}}, False),
        ({"tags": {"owner": "*"}}, False),
        ({"tags": {"stage": "prod", "owner": "me"}}, False),
        ({"accounts": [OWN], "regions": ["eu-west-1"], "tags": {"stage": "prod"}}, True),
        ({"accounts": [OWN], "regions": ["us-east-1"]}, False),
    ],
)
def test_every_condition_must_be_met(match: dict[str, Any], *, concerns: bool) -> None:
    """By account, region, VPC and tag."""
    found = required(override(match), tags={"stage": "prod"})
    assert found == (("kms",) if concerns else ("s3",))


def test_of_two_overrides_the_later_wins() -> None:
    """Each replaces the field as a whole."""
    first = override({"regions": ["eu-west-1"]}, "first", required_services=["sqs"])
    second = override({"accounts": [OWN]}, "second", required_services=["sns"])
    assert required(first, second) == ("sns",)
    assert required(second, first) == ("sqs",)


def test_a_field_that_is_not_set_stays() -> None:
    """An override of one field leaves the others alone."""
    other = override({"accounts": [OWN]}, pending_grace_minutes=1)
    assert required(other) == ("s3",)


def test_an_empty_list_is_a_setting() -> None:
    """It takes the requirement away."""
    assert required(override({"accounts": [OWN]}, required_services=[])) == ()


def test_the_own_account_is_always_trusted() -> None:
    """It need not be listed, and cannot be removed."""
    document = parse_document(
        {"overrides": [override({"accounts": [OWN]}, trusted_accounts=["444455556666"])]}
    )
    assert resolve_baseline(document, SCOPE, {}).trusted_accounts == {OWN, "444455556666"}


UNIT = "ou-ab12-11111111"
IN_UNIT = f"o-a1b2c3d4e5/r-ab12/{UNIT}/ou-ab12-22222222/"
OTHER = "444455556666"


@pytest.mark.parametrize(
    ("spokes", "account", "tags", "path", "expected"),
    [
        ({}, OWN, {}, "", True),
        ({"accounts": [OWN]}, OWN, {}, "", True),
        ({"accounts": [OWN]}, OTHER, {}, "", False),
        ({"vpcs": [SCOPE.subject]}, OTHER, {}, "", True),
        ({"vpcs": ["vpc-0bbbbbbbbbbbbbbb1"]}, OWN, {}, "", False),
        ({"tags": {"stage": "*"}}, OWN, {"stage": "prod"}, "", True),
        ({"tags": {"stage": "*"}}, OWN, {}, "", False),
        ({"organizational_units": [UNIT]}, OWN, {}, IN_UNIT, True),
        ({"organizational_units": [UNIT]}, OWN, {}, "o-a1b2c3d4e5/r-ab12/", False),
        ({"organizational_units": [UNIT]}, OWN, {}, "o-a1b2c3d4e5", None),
        ({"organizational_units": [UNIT]}, OWN, {}, "", None),
        ({"organizational_units": [UNIT], "accounts": [OTHER]}, OWN, {}, "", False),
    ],
)
def test_spokes_meet_every_condition(
    spokes: dict[str, Any], account: str, tags: dict[str, str], path: str, *, expected: bool | None
) -> None:
    """An organizational unit counts with all units in it; without the path it is not known."""
    entry: dict[str, Any] = {"hubs": {"vpcs": ["vpc-0ccccccccccccccc1"]}}
    if spokes:
        entry["spokes"] = spokes
    document = parse_document({"default": {"central_endpoints": [entry]}})
    (central,) = resolve_baseline(document, SCOPE, {}).central_endpoints
    assert central.spokes.selects(SCOPE.subject, account, tags, path) is expected


def test_paths_of_accounts_are_known_where_units_decide() -> None:
    """From overrides by account, the default for all others, and the scope's own one."""
    by_tag = override({"tags": {"stage": "prod"}}, "tag", organization="o-a1b2c3d4e5/r-ab12/")
    by_account = override({"accounts": [OTHER]}, "account", organization=IN_UNIT)
    central = {
        "hubs": {"vpcs": ["vpc-0ccccccccccccccc1"]},
        "spokes": {"organizational_units": [UNIT]},
    }
    raw = {
        "default": {"organization": "o-a1b2c3d4e5", "central_endpoints": [central]},
        "overrides": [by_account, by_tag],
    }
    found = resolve_baseline(parse_document(raw), SCOPE, {"stage": "prod"})
    assert found.find_account_path(OWN) == "o-a1b2c3d4e5/r-ab12/"
    assert found.find_account_path(OTHER) == IN_UNIT
    assert found.find_account_path("777788889999") == "o-a1b2c3d4e5"
    raw["default"]["central_endpoints"] = []  # type: ignore[index]
    assert resolve_baseline(parse_document(raw), SCOPE, {}).account_paths == {}
