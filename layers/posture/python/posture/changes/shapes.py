"""The shapes in which CloudTrail writes EC2's requests and responses.

Older calls are flat and in camel case, their sets `{"items": […]}`, an empty one `{}`. Newer calls
are the XML of the call turned to JSON: wrapped in one object whose name begins in upper case (not
always the event's), a list of one is that one, members are `{"tag": 1, "content": …}` or
`{"item": …}`, an empty element is `""`, digits become numbers. No other module knows of this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Prefixes of the ids that lead to a scope, with the eight or seventeen digits EC2 gives them;
# published samples mask digits with other letters.
ID = re.compile(
    r"(?:vpc|subnet|rtb|rtbassoc|vpce|vpce-svc|sg|sgr|acl|aclassoc|eni|pl|nat|igw|eigw|vgw|pcx|"
    r"tgw|tgw-attach|cagw|lgw|rs|vpc-cidr-assoc|subnet-cidr-assoc)-[0-9a-z]{8,17}"
)
DIGITS = re.compile(r"[0-9a-z]*[0-9][0-9a-z]*")

# What people write freely is no pointer, whatever it looks like.
FREE_TEXT = frozenset({"tag", "tagset", "tagspecification", "tagspecifications"}) | frozenset(
    {"tagspecificationset", "description", "groupdescription", "policydocument", "clienttoken"}
)
# The groups that a group's rules name: of a peered VPC perhaps, which the rule does not move.
PEERS = frozenset({"groups", "useridgrouppairs", "referencedgroupinfo"})
OWNERS = ("ownerId", "vpcOwnerId", "userId", "OwnerId", "UserId")


def unwrap(block: Any) -> Mapping[str, Any]:
    """Take a request or response out of its wrapper; what is empty or null is an empty mapping."""
    if not isinstance(block, Mapping):
        return {}
    if len(block) == 1:
        ((name, inner),) = block.items()
        if isinstance(name, str) and name[:1].isupper() and not isinstance(inner, list):
            return inner if isinstance(inner, Mapping) else {}
    return block


def list_members(value: Any) -> list[Any]:
    """Give the members of a list in any of its forms."""
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
    """Give a scalar as text; `{"tag": 1, "content": x}` is x."""
    if isinstance(value, Mapping):
        value = value.get("content", "")
    return "" if value is None or isinstance(value, Mapping | list) else str(value)


def parse_account_id(value: Any) -> str:
    """Give twelve digits, as numbers lose their leading zeros; "" for what is no account."""
    digits = format_scalar(value)
    return digits.zfill(12) if digits.isdecimal() and len(digits) <= 12 else ""  # noqa: PLR2004


def is_id(value: str) -> bool:
    """Tell whether EC2 could have given this id."""
    return bool(ID.fullmatch(value) and DIGITS.fullmatch(value.rpartition("-")[2]))


def find_ids(block: Any, account: str) -> Iterator[str]:
    """Give every id that a request or response names.

    What another account owns, as the other side of a peering or of a group rule, is left out: its
    VPC is not ours to look at. So are the VPCs of the groups that a rule admits, for it is the
    admitting group's VPC that changes, and tags and other free text.
    """
    if isinstance(block, str):
        if is_id(block):
            yield block
    elif isinstance(block, list):
        for member in block:
            yield from find_ids(member, account)
    elif isinstance(block, Mapping):
        foreign = ("vpc-", "sg-") if _foreign(block, account) else ()
        for name, value in block.items():
            key = str(name).casefold()
            if key not in FREE_TEXT or _is_index(name, value):
                elsewhere = (*foreign, "vpc-") if key in PEERS else foreign
                yield from (
                    each for each in find_ids(value, account) if not each.startswith(elsewhere)
                )


def find_owners(block: Any) -> Iterator[str]:
    """Give every account that a response calls the owner of something."""
    if isinstance(block, list):
        for member in block:
            yield from find_owners(member)
    elif isinstance(block, Mapping):
        for name, value in block.items():
            if name in OWNERS and (account := parse_account_id(value)):
                yield account
            yield from find_owners(value)


def _foreign(block: Mapping[str, Any], account: str) -> bool:
    owners = {parse_account_id(block.get(name)) for name in OWNERS} - {""}
    return bool(owners) and account not in owners


def _is_index(name: Any, value: Any) -> bool:
    """The member number of a wrapped list is called `tag`, too."""
    return name == "tag" and not isinstance(value, Mapping | list)
