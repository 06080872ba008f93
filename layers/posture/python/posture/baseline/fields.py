"""The fields of a baseline, and the values that each may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from posture.model.baseline import CentralEndpoints, VpcSelector
from posture.model.features import FEATURE_NAMES

ACCOUNT = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+")
VPC = re.compile(r"vpc-[0-9a-f]{8,17}|vpce-svc-[0-9a-f]{8,17}")
VPC_ONLY = re.compile(r"vpc-[0-9a-f]{8,17}")
ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
UNIT = re.compile(r"ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}")
ORGANIZATION_PATH = re.compile(
    r"(o-[a-z0-9]{10,32}(/r-[a-z0-9]{4,32}/(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}/)*)?)?"
)
SHORT_SERVICE = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
SERVICE_OR_OWNER = re.compile(r"[0-9]{12}|[a-z]{2,3}(\.[a-z0-9-]+)+")
SENTENCE = re.compile(r".*\S.*", re.DOTALL)
TAG_VALUE = re.compile(r".{0,256}", re.DOTALL)
ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*?]+|\*")
MAX_NAME = 64  # characters of an account's name; AWS allows 50, and 63 of an alias
NAME = re.compile(r"(?=.*\S)[^\n\r]{1,64}")
NONE = "none"  # no feature


class Mistakes:
    """Collects every mistake of a document, each with the path of its field."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def expect(self, path: str, expected: str, value: object) -> None:
        """Add a field with a wrong value, and what was expected."""
        self.found.append(f"{path}: expected {expected}, got {format_value(value)}")


# Parses the value at a path, or adds its mistakes; the result is the value as a baseline holds it.
Field = Callable[[Any, str, Mistakes], Any]


def texts(form: re.Pattern[str], expected: str, *, ordered: bool = False) -> Field:
    """Build the field of a list of distinct texts of one form; `ordered` keeps their order."""

    def parse(value: Any, path: str, mistakes: Mistakes) -> tuple[str, ...] | frozenset[str]:
        if not isinstance(value, list):
            mistakes.expect(path, f"a list, each {expected}", value)
            value = []
        for number, each in enumerate(value):
            if not isinstance(each, str) or not form.fullmatch(each):
                # YAML reads an account id without quotes as a number, without its leading zeros.
                quoted = isinstance(each, int) and not isinstance(each, bool)
                wanted = f"{expected} in quotes" if quoted else expected
                mistakes.expect(f"{path}[{number}]", wanted, each)
        kept = dict.fromkeys(each for each in value if isinstance(each, str))
        return tuple(kept) if ordered else frozenset(kept)

    return parse


def single(is_valid: Callable[[Any], bool], expected: str, otherwise: object) -> Field:
    """Build the field of one value, which is `otherwise` where it is not valid."""

    def parse(value: Any, path: str, mistakes: Mistakes) -> Any:
        if is_valid(value):
            return value
        mistakes.expect(path, expected, value)
        return otherwise

    return parse


def text(form: re.Pattern[str], expected: str) -> Field:
    """Build the field of one text of a form."""
    return single(lambda it: isinstance(it, str) and form.fullmatch(it) is not None, expected, "")


def integer(least: int, most: int) -> Field:
    """Build the field of an integer between two bounds."""
    expected = f"a whole number from {least} to {most}"
    return single(lambda it: type(it) is int and least <= it <= most, expected, least)


parse_flag = single(lambda it: isinstance(it, bool), "true or false", otherwise=False)


def parse_sentence(value: Any, path: str, mistakes: Mistakes) -> str:
    """Parse a text that is not empty."""
    return str(text(SENTENCE, "a text")(value, path, mistakes)).strip()


def parse_tags(value: Any, path: str, mistakes: Mistakes) -> dict[str, frozenset[str]]:
    """Parse tag keys, each with a value or a list of values; `*` matches any value."""
    if not isinstance(value, Mapping):
        mistakes.expect(path, "tag keys, each with a value or a list of values", value)
        return {}
    parse = texts(TAG_VALUE, "a text")
    return {
        str(key): parse(each if isinstance(each, list) else [each], f"{path}.{key}", mistakes)
        for key, each in value.items()
    }


def parse_account_names(value: Any, path: str, mistakes: Mistakes) -> dict[str, str]:
    """Parse accounts of 12 digits, each with its name."""
    if not isinstance(value, Mapping):
        mistakes.expect(path, "accounts of 12 digits in quotes, each with its name", value)
        return {}
    parse = text(NAME, f"a name of 1 to {MAX_NAME} characters on one line")
    for account in value:
        if not isinstance(account, str) or not ACCOUNT.fullmatch(account):
            mistakes.expect(path, "accounts of 12 digits in quotes", account)
    return {str(key): str(parse(each, f"{path}.{key}", mistakes)) for key, each in value.items()}


def parse_features(value: Any, path: str, mistakes: Mistakes) -> tuple[str, ...]:
    """Parse a list of features of AWS, or the text `none`."""
    if value == NONE:
        return ()
    if not isinstance(value, list):
        mistakes.expect(path, f"{NONE}, or a list of features, as in [ecr, ssm]", value)
        return ()
    for number, each in enumerate(value):
        if each not in FEATURE_NAMES:
            near = get_close_matches(str(each), FEATURE_NAMES)
            hint = f"did you mean {' or '.join(near)}?" if near else ", ".join(FEATURE_NAMES)
            mistakes.expect(f"{path}[{number}]", f"a feature ({hint})", each)
    return tuple(dict.fromkeys(each for each in value if each in FEATURE_NAMES))


def parse_members(
    raw: Any, known: Iterable[str], path: str, mistakes: Mistakes
) -> Mapping[str, Any]:
    """Return the members of an object; an unknown member is a mistake."""
    where = path or "baseline"
    if not isinstance(raw, Mapping):
        mistakes.expect(where, "an object with " + ", ".join(known), raw)
        return {}
    names = list(known)
    for name in raw:
        if name not in names:
            near = get_close_matches(str(name), names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            full = f"{path}.{name}" if path else str(name)
            mistakes.found.append(f"{full}: expected one of {', '.join(names)}{hint}")
    return {str(name): value for name, value in raw.items() if name in names}


def parse_fields(
    raw: Any, fields: Mapping[str, Field], path: str, mistakes: Mistakes
) -> dict[str, Any]:
    """Parse an object with these fields; one that is left out is not in the result."""
    members = parse_members(raw, fields, path, mistakes)
    return {
        name: fields[name](value, f"{path}.{name}", mistakes) for name, value in members.items()
    }


def parse_selector(conditions: Mapping[str, Field]) -> Field:
    """Build the field of an object with at least one of these conditions on VPCs."""

    def parse(value: Any, path: str, mistakes: Mistakes) -> VpcSelector:
        found = parse_fields(value, conditions, path, mistakes)
        if isinstance(value, Mapping) and not any(found.values()):
            mistakes.expect(path, "at least one of " + ", ".join(conditions), {})
        return VpcSelector(**found)

    return parse


def parse_central_endpoints(
    value: Any, path: str, mistakes: Mistakes
) -> tuple[CentralEndpoints, ...]:
    """Parse a list of hubs, each with the services and VPCs that its endpoints are for."""
    if not isinstance(value, list):
        mistakes.expect(path, "a list, each with " + ", ".join(CENTRAL_ENDPOINTS), value)
        return ()
    found = []
    for number, each in enumerate(value):
        where = f"{path}[{number}]"
        entry = parse_fields(each, CENTRAL_ENDPOINTS, where, mistakes)
        if isinstance(each, Mapping) and "hubs" not in each:
            mistakes.expect(f"{where}.hubs", "the VPCs with the endpoints", None)
        found.append(CentralEndpoints(**{"hubs": VpcSelector(), **entry}))
    return tuple(found)


parse_services = texts(
    SHORT_SERVICE, "the short name of a service, as in kms or ecr.dkr", ordered=True
)
HUBS: Mapping[str, Field] = {
    "accounts": texts(ACCOUNT, "an account of 12 digits"),
    "vpcs": texts(VPC_ONLY, "a VPC id, as in vpc-0123456789abcdef0"),
    "tags": parse_tags,
}
SPOKES: Mapping[str, Field] = {
    "accounts": HUBS["accounts"],
    "organizational_units": texts(UNIT, "an organizational unit, as in ou-ab12-11111111"),
    "vpcs": HUBS["vpcs"],
    "tags": parse_tags,
}
CENTRAL_ENDPOINTS: Mapping[str, Field] = {
    "hubs": parse_selector(HUBS),
    "services": parse_services,
    "spokes": parse_selector(SPOKES),
}
REQUIREMENTS: Mapping[str, Field] = {
    "required_services": parse_services,
    "accept_fips_endpoints": parse_flag,
    "trusted_accounts": texts(ACCOUNT, "an account of 12 digits"),
    "trusted_organizations": texts(ORGANIZATION, "an organization id, as in o-a1b2c3d4e5"),
    "organization": text(
        ORGANIZATION_PATH,
        "the organization of the accounts, as in o-a1b2c3d4e5, or a path in it, as in "
        "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/",
    ),
    "allowed_endpoint_services": texts(
        SERVICE_OR_OWNER,
        "a full service name, as in com.amazonaws.vpce.eu-west-1.vpce-svc-0123456789abcdef0, or "
        "its owner's account",
    ),
    "allowed_regions": texts(REGION, "a region, as in eu-west-1"),
    "allowed_actions": texts(ACTION, "an IAM action, as in s3:Get*"),
    "aws_owned_resources": parse_features,
    "infrastructure_subnets": parse_tags,
    "central_endpoints": parse_central_endpoints,
    "evaluate_unused_default_vpcs": parse_flag,
    "pending_grace_minutes": integer(0, 24 * 60),
    "waiver_approval": parse_flag,
    "waiver_max_days": integer(1, 366),
}
EXEMPTION: Mapping[str, Field] = {"exempt": parse_flag, "exempt_reason": parse_sentence}
CONDITIONS: Mapping[str, Field] = {
    "accounts": texts(ACCOUNT, "an account of 12 digits"),
    "regions": texts(REGION, "a region, as in eu-west-1"),
    "vpcs": texts(VPC, "a VPC or endpoint service id, as in vpc-0123456789abcdef0"),
    "tags": parse_tags,
}


def format_value(value: object) -> str:
    """Return a value as text, truncated to a line."""
    return "nothing" if value is None else repr(value)[:80]
