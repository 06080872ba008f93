"""A baseline is read whole or refused with every mistake named by its field."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posture.baseline.document import BaselineDocument, Match, Override
from posture.baseline.parse import dump_document, parse_document
from posture.errors import BaselineError
from posture.model.baseline import Baseline, CentralEndpoints, VpcSelector
from posture.model.scope import Scope, ScopeNames

FULL: dict[str, Any] = {
    "version": 1,
    "account_names": {"111122223333": "payments-prod"},
    "default": {
        "required_services": ["s3", "kms"],
        "accept_fips_endpoints": True,
        "trusted_accounts": ["111122223333"],
        "trusted_organizations": ["o-a1b2c3d4e5"],
        "organization": "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/",
        "allowed_endpoint_services": [
            "com.amazonaws.vpce.eu-west-1.vpce-svc-0123456789abcdef0",
            "444455556666",
        ],
        "allowed_regions": ["eu-central-1"],
        "allowed_actions": ["s3:Get*"],
        "aws_owned_resources": ["ecr", "amazon-linux"],
        "infrastructure_subnets": {"tier": ["firewall", "transit"]},
        "central_endpoints": [
            {
                "hubs": {"tags": {"role": ["endpoints"]}, "accounts": ["111122223333"]},
                "services": ["kms", "ecr.dkr"],
                "spokes": {"organizational_units": ["ou-ab12-11111111"]},
            },
            {"hubs": {"vpcs": ["vpc-0aaaaaaaaaaaaaaa1"]}},
        ],
        "evaluate_unused_default_vpcs": True,
        "pending_grace_minutes": 30,
    },
    "overrides": [
        {
            "name": "play",
            "match": {"accounts": ["444455556666"], "tags": {"stage": ["play", "sandbox"]}},
            "set": {"exempt": True, "exempt_reason": "no data of value"},
        }
    ],
}


def mistakes(raw: Any) -> tuple[str, ...]:
    """Return what is wrong with a document."""
    with pytest.raises(BaselineError) as caught:
        parse_document(raw)
    return caught.value.mistakes


def test_a_full_document_is_read() -> None:
    """Every field is in the baseline that the rules read."""
    document = parse_document(FULL)
    assert document.default == Baseline(
        required_services=("s3", "kms"),
        accept_fips_endpoints=True,
        trusted_accounts=frozenset({"111122223333"}),
        trusted_organizations=frozenset({"o-a1b2c3d4e5"}),
        organization="o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/",
        allowed_endpoint_services=frozenset(FULL["default"]["allowed_endpoint_services"]),
        allowed_regions=frozenset({"eu-central-1"}),
        allowed_actions=frozenset({"s3:Get*"}),
        aws_owned_resources=("ecr", "amazon-linux"),
        infrastructure_subnets={"tier": frozenset({"firewall", "transit"})},
        central_endpoints=(
            CentralEndpoints(
                hubs=VpcSelector(
                    accounts=frozenset({"111122223333"}), tags={"role": frozenset({"endpoints"})}
                ),
                services=("kms", "ecr.dkr"),
                spokes=VpcSelector(organizational_units=frozenset({"ou-ab12-11111111"})),
            ),
            CentralEndpoints(hubs=VpcSelector(vpcs=frozenset({"vpc-0aaaaaaaaaaaaaaa1"}))),
        ),
        evaluate_unused_default_vpcs=True,
        pending_grace_minutes=30,
    )
    assert document.overrides == (
        Override(
            "play",
            Match(
                accounts=frozenset({"444455556666"}),
                tags={"stage": frozenset({"play", "sandbox"})},
            ),
            {"exempt": True, "exempt_reason": "no data of value"},
        ),
    )


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        ({}, None),
        ({"aws_owned_resources": "none"}, ()),
        ({"aws_owned_resources": []}, ()),
        ({"aws_owned_resources": ["ssm", "ecr", "ssm"]}, ("ssm", "ecr")),
    ],
)
def test_no_aws_owned_resources_are_not_the_default(stated: dict[str, Any], kept: object) -> None:
    """The default depends on the required services, and both survive being stored."""
    document = parse_document({"default": stated, "overrides": []})
    assert document.default.aws_owned_resources == kept
    assert parse_document(dump_document(document)) == document
    override = {"name": "x", "match": {"regions": ["eu-west-1"]}, "set": stated}
    document = parse_document({"overrides": [override]})
    assert parse_document(dump_document(document)) == document
    if kept == ():
        assert dump_document(document)["overrides"][0]["set"] == {"aws_owned_resources": "none"}


def test_a_feature_that_is_not_known_is_named_with_those_near_it() -> None:
    """As a person would look it up."""
    stated = {"aws_owned_resources": ["ecr", "amazonlinux", "zzz", 7]}
    found = mistakes({"default": stated})
    path = "default.aws_owned_resources"
    assert found[0].startswith(f"{path}[1]: expected a feature (did you mean amazon-linux")
    assert found[1].startswith(f"{path}[2]: expected a feature (amazon-amis, amazon-linux")
    assert len(found) == 3
    assert mistakes({"default": {"aws_owned_resources": "ecr"}}) == (
        f"{path}: expected none, or a list of features, as in [ecr, ssm], got 'ecr'",
    )


@pytest.mark.parametrize("raw", [{}, {"version": 1}, {"default": {}}, {"overrides": []}])
def test_everything_may_be_left_out(raw: dict[str, Any]) -> None:
    """It is as with no document at all."""
    assert parse_document(raw) == BaselineDocument()


@pytest.mark.parametrize(
    ("raw", "mistake"),
    [
        (None, "baseline: expected an object"),
        ([], "baseline: expected an object"),
        ({"version": 2}, "version: expected 1, got 2"),
        (
            {"defaults": {}},
            "defaults: expected one of version, account_names, default, overrides; did you mean",
        ),
        ({"default": []}, "default: expected an object"),
        ({"default": {"required_services": "s3"}}, "default.required_services: expected a list"),
        ({"default": {"required_services": ["S3"]}}, "required_services[0]: expected the short"),
        (
            {"default": {"trusted_accounts": [111122223333]}},
            "trusted_accounts[0]: expected an account of 12 digits in quotes, got 111122223333",
        ),
        ({"default": {"trusted_accounts": ["1111"]}}, "trusted_accounts[0]: expected an account"),
        ({"default": {"trusted_accounts": [None]}}, "got nothing"),
        ({"default": {"trusted_organizations": ["r-1"]}}, "expected an organization id"),
        ({"default": {"organization": ["o-a1b2c3d4e5"]}}, "expected the organization of"),
        ({"default": {"organization": "o-a1b2c3d4e5/ou-1"}}, "expected the organization of"),
        (
            {"default": {"central_endpoints": {}}},
            "default.central_endpoints: expected a list, each with hubs, services, spokes, got {}",
        ),
        (
            {"default": {"central_endpoints": [{"services": ["kms"]}]}},
            "central_endpoints[0].hubs: expected the VPCs with the endpoints, got nothing",
        ),
        (
            {"default": {"central_endpoints": [{"hubs": {}}]}},
            "central_endpoints[0].hubs: expected at least one of accounts, vpcs, tags, got {}",
        ),
        (
            {
                "default": {
                    "central_endpoints": [{"hubs": {"vpcs": ["vpce-svc-0123456789abcdef0"]}}]
                }
            },
            "central_endpoints[0].hubs.vpcs[0]: expected a VPC id",
        ),
        (
            {"default": {"central_endpoints": [{"hub": {"vpcs": []}}]}},
            "central_endpoints[0].hub: expected one of hubs, services, spokes; did you mean hubs?",
        ),
        (
            {"default": {"central_endpoints": ["vpc-0aaaaaaaaaaaaaaa1"]}},
            "central_endpoints[0]: expected an object with hubs, services, spokes",
        ),
        (
            {
                "default": {
                    "central_endpoints": [
                        {"hubs": {"tags": {"a": "b"}}, "spokes": {"organizational_units": ["x"]}}
                    ]
                }
            },
            "spokes.organizational_units[0]: expected an organizational unit, as in ou-ab12-1111",
        ),
        ({"default": {"pending_grace_minutes": -1}}, "a whole number from 0 to 1440, got -1"),
        ({"default": {"pending_grace_minutes": True}}, "a whole number from 0 to 1440, got True"),
        ({"default": {"pending_grace_minutes": "15"}}, "a whole number from 0 to 1440, got '15'"),
        ({"default": {"exempt": True}}, "default.exempt: expected one of required_services"),
        ({"overrides": {}}, "overrides: expected a list"),
        ({"overrides": [{}]}, "overrides[0].name: expected a text"),
        (
            {"overrides": [{"name": "x", "match": {}, "set": {}}]},
            "overrides[0].match: expected at least one of accounts, regions, vpcs, tags",
        ),
        (
            {"overrides": [{"name": "x", "match": {"vpcs": ["vpc-x!"]}, "set": {}}]},
            "overrides[0].match.vpcs[0]: expected a VPC",
        ),
        (
            {"overrides": [{"name": "x", "match": {"tags": ["a"]}, "set": {}}]},
            "overrides[0].match.tags: expected tag keys",
        ),
        (
            {"overrides": [{"name": "x", "match": {"tags": {"a": "b"}}, "set": {"exempt": True}}]},
            "overrides[0].set.exempt_reason: expected the reason of the exemption",
        ),
    ],
)
def test_each_mistake_names_its_field(raw: Any, mistake: str) -> None:
    """And what was expected there."""
    assert any(mistake in each for each in mistakes(raw)), mistakes(raw)


def test_all_mistakes_are_listed_at_once() -> None:
    """All errors of a document are reported at once."""
    found = mistakes(
        {
            "default": {"trusted_accounts": ["1"], "pending_grace_minutes": 9999},
            "overrides": [
                {"name": "x", "match": {"regions": ["mars"]}, "set": {"requird_services": []}}
            ],
        }
    )
    assert len(found) == 4
    assert "did you mean required_services?" in found[3]


def test_names_of_overrides_are_unique() -> None:
    """A name identifies an override."""
    twice = {"name": "x", "match": {"regions": ["eu-west-1"]}, "set": {}}
    assert mistakes({"overrides": [twice, twice]}) == (
        "overrides[1].name: expected a unique name, got 'x'",
    )


def test_one_tag_value_needs_no_list() -> None:
    """It is written as people write it."""
    raw = {"overrides": [{"name": "x", "match": {"tags": {"stage": "prod"}}, "set": {}}]}
    assert parse_document(raw).overrides[0].match.tags == {"stage": frozenset({"prod"})}


ACCOUNTS = st.lists(st.from_regex(r"\A[0-9]{12}\Z"), max_size=3)
SERVICES = st.lists(st.sampled_from(["s3", "kms", "ecr.dkr"]), max_size=3, unique=True)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "required_services": SERVICES,
        "trusted_accounts": ACCOUNTS,
        "pending_grace_minutes": st.integers(0, 1440),
    },
)
MATCHES = st.fixed_dictionaries(
    {"regions": st.just(["eu-west-1"])},
    optional={
        "accounts": ACCOUNTS,
        "tags": st.dictionaries(st.text(max_size=8), st.lists(st.text(max_size=8), min_size=1)),
    },
)


@given(SETTINGS, st.lists(st.tuples(MATCHES, SETTINGS), max_size=3))
def test_what_is_written_out_is_read_back(
    default: dict[str, Any], overrides: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    """Dumping and reading is the identity."""
    document = parse_document(
        {
            "default": default,
            "overrides": [
                {"name": f"override {number}", "match": match, "set": settings}
                for number, (match, settings) in enumerate(overrides)
            ],
        }
    )
    assert parse_document(dump_document(document)) == document


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["version", "default", "overrides", "name", "match", "set", "x"]),
            children,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_value_is_read_or_refused(raw: Any) -> None:
    """No other error than BaselineError is raised."""
    with suppress(BaselineError):
        document = parse_document(raw)
        assert parse_document(dump_document(document)) == document


def test_an_account_has_the_name_of_the_document_and_a_vpc_that_of_its_tag() -> None:
    """An account that is not listed has no name: none is guessed."""
    document = parse_document({"version": 1, "account_names": {"111122223333": "payments-prod"}})
    own = Scope("111122223333", "eu-west-1", "vpc-0a")
    assert document.name_scope(own, {"Name": "main"}) == ScopeNames("main", "payments-prod")
    assert document.name_scope(Scope("444455556666", "eu-west-1", "vpc-0a"), {}) == ScopeNames()


@pytest.mark.parametrize(
    ("names", "path", "expected"),
    [
        (["payments"], "", "accounts of 12 digits in quotes, each with its name"),
        ({111122223333: "payments"}, "", "accounts of 12 digits in quotes"),
        ({"1111": "payments"}, "", "accounts of 12 digits in quotes"),
        ({"111122223333": ""}, ".111122223333", "a name of 1 to 64 characters on one line"),
        ({"111122223333": "a\nb"}, ".111122223333", "a name of 1 to 64 characters on one line"),
        ({"111122223333": "a" * 65}, ".111122223333", "a name of 1 to 64 characters on one line"),
        ({"111122223333": 7}, ".111122223333", "a name of 1 to 64 characters on one line"),
    ],
)
def test_a_wrong_account_name_is_a_mistake(names: Any, path: str, expected: str) -> None:
    """The mistake names the account and what was expected."""
    (found,) = mistakes({"version": 1, "account_names": names})
    assert found.startswith(f"account_names{path}: expected {expected}, got ")
