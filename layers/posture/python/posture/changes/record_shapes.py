"""The forms in which CloudTrail records EC2's requests and responses.

Older calls are flat and in camel case; a list is `{"items": […]}`, or `{}` if it is empty. Newer
calls are XML converted to JSON: one object with a capitalised name, not always the event's, holds
all members; a list is `{"item": …}` or has members `{"tag": 1, "content": …}`; a list of one is
the member itself; an empty element is `""`; digits become numbers. Only this module knows of this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Ids from which a scope can be resolved, with 8 or 17 hexadecimal digits. In published samples some
# digits are masked by placeholder letters.
ID = re.compile(
    r"(?:vpc|subnet|rtb|rtbassoc|vpce|vpce-svc|sg|sgr|acl|aclassoc|eni|pl|nat|igw|eigw|vgw|pcx|"
    r"tgw|tgw-attach|cagw|lgw|rs|vpc-cidr-assoc|subnet-cidr-assoc)-[0-9a-z]{8,17}"
)
# The name of an endpoint service of a customer, which ends with its id.
SERVICE_NAME = re.compile(
    r"(?:[a-z]+\.)?com\.amazonaws\.vpce\.[a-z0-9-]+\.(vpce-svc-[0-9a-f]{8,17})"
)
# Ids of the shared network, alone or at the end of an ARN.
SHARED_ID = re.compile(
    r"(?:arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:\d*:(?:[a-z0-9-]+/)+)?"
    r"((?:rslvr-rr|rslvr-in|rslvr-out|rslvr-rrassoc|rp|rpassoc|rpr|tgw-rtb|tgw-attach|tgw|"
    r"core-network|global-network|attachment)-[0-9a-z]{8,32})"
)
ZONE = re.compile(r"(?:/hostedzone/)?(Z[0-9A-Z]{1,31})")
DIGITS = re.compile(r"[0-9a-z]*[0-9][0-9a-z]*")

# Text that users write freely may look like an id.
FREE_TEXT = frozenset({"tag", "tagset", "tagspecification", "tagspecifications"}) | frozenset(
    {"tagspecificationset", "description", "groupdescription", "policydocument", "clienttoken"}
)
# Security groups that a rule refers to; the rule does not change their VPC, which may be peered.
PEERS = frozenset({"groups", "useridgrouppairs", "referencedgroupinfo"})
ACCOUNT_DIGITS = 12
OWNERS = ("ownerId", "vpcOwnerId", "groupOwnerId", "userId", "OwnerId", "UserId")


def unwrap(block: Any) -> Mapping[str, Any]:
    """Remove the wrapper of a request or response; an empty or null block is an empty mapping."""
    if not isinstance(block, Mapping):
        return {}
    if len(block) == 1:
        ((name, inner),) = block.items()
        if isinstance(name, str) and name[:1].isupper() and not isinstance(inner, list):
            return inner if isinstance(inner, Mapping) else {}
    return block


def is_omitted(block: Any) -> bool:
    """Whether CloudTrail left out a request or response that is larger than 100 KB.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """
    return isinstance(block, Mapping) and block.get("omitted") in (True, "true")


def list_members(value: Any) -> list[Any]:
    """List the members of a list in any of its forms."""
    if value is None or value in ("", {}):
        return []
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping):
        for name in ("items", "item"):
            if name in value:
                return list_members(value[name])
    return [value]


def format_scalar(value: Any) -> str:
    """Format a scalar as text; `{"tag": 1, "content": x}` is x."""
    if isinstance(value, Mapping):
        value = value.get("content", "")
    return "" if value is None or isinstance(value, Mapping | list) else str(value)


def parse_account_id(value: Any) -> str:
    """Parse a 12-digit account id, restoring lost leading zeros; "" if it is not one."""
    digits = format_scalar(value)
    is_account = digits.isdecimal() and len(digits) <= ACCOUNT_DIGITS
    return digits.zfill(ACCOUNT_DIGITS) if is_account else ""


def is_id(value: str) -> bool:
    """Whether a string has the form of an EC2 id."""
    return bool(ID.fullmatch(value) and DIGITS.fullmatch(value.rpartition("-")[2]))


def find_ids(block: Any, account: str) -> Iterator[str]:
    """Find every id in a request or response.

    The id of an endpoint service is also found in its name.

    Ids of another account's VPCs and security groups are left out, for example those of a peering
    connection. So are the VPCs of security groups that a rule refers to, because the call changes
    the VPC of the group with the rule, and ids in tags and other free text.
    """
    if isinstance(block, str):
        service = SERVICE_NAME.fullmatch(block)
        name = service[1] if service else block
        if is_id(name):
            yield name
    elif isinstance(block, list):
        for member in block:
            yield from find_ids(member, account)
    elif isinstance(block, Mapping):
        external = ("vpc-", "sg-") if _is_external(block, account) else ()
        for name, value in block.items():
            key = str(name).casefold()
            if key not in FREE_TEXT or _is_index(name, value):
                left_out = (*external, "vpc-") if key in PEERS else external
                yield from (
                    each for each in find_ids(value, account) if not each.startswith(left_out)
                )


def find_shared_ids(block: Any) -> Iterator[str]:
    """Find the ids of zones, rules, Profiles, transit gateways and core networks in a request.

    A zone is named by the request itself: in a record it is the one that an alias points to.
    """
    if isinstance(block, Mapping):
        created = block.get("hostedZone")
        zone = created.get("id") if isinstance(created, Mapping) else None
        names = (block.get("hostedZoneId"), block.get("id"), zone)
        yield from (found[1] for each in names if (found := ZONE.fullmatch(format_scalar(each))))
    yield from _find_shared(block)


def _find_shared(block: Any) -> Iterator[str]:
    if isinstance(block, str):
        if found := SHARED_ID.fullmatch(block):
            yield found[1]
    elif isinstance(block, list):
        for member in block:
            yield from _find_shared(member)
    elif isinstance(block, Mapping):
        for name, value in block.items():
            if str(name).casefold() not in FREE_TEXT:
                yield from _find_shared(value)


def find_other_vpcs(block: Any, account: str, *, external: bool = False) -> Iterator[str]:
    """Find the VPCs of other accounts that a request or response names with their owner.

    Such as the other side of a peering connection, or the VPC that is attached to a transit
    gateway. VPCs of security groups that a rule refers to are left out, as in `find_ids`.
    """
    if isinstance(block, str):
        if external and block.startswith("vpc-") and is_id(block):
            yield block
    elif isinstance(block, list):
        for member in block:
            yield from find_other_vpcs(member, account, external=external)
    elif isinstance(block, Mapping):
        if any(parse_account_id(block.get(name)) for name in OWNERS):
            external = _is_external(block, account)
        for name, value in block.items():
            if str(name).casefold() not in PEERS | FREE_TEXT:
                yield from find_other_vpcs(value, account, external=external)


def find_owners(block: Any) -> Iterator[str]:
    """Find every account that a response names as the owner of a resource, other than a peer."""
    if isinstance(block, list):
        for member in block:
            yield from find_owners(member)
    elif isinstance(block, Mapping):
        for name, value in block.items():
            if name in OWNERS and (account := parse_account_id(value)):
                yield account
            if str(name).casefold() not in PEERS:
                yield from find_owners(value)


def _is_external(block: Mapping[str, Any], account: str) -> bool:
    owners = {parse_account_id(block.get(name)) for name in OWNERS} - {""}
    return bool(owners) and account not in owners


def _is_index(name: Any, value: Any) -> bool:
    """Whether a `tag` is the number of a list member and not a resource tag."""
    return name == "tag" and not isinstance(value, Mapping | list)
