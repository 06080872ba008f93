"""The fields of a baseline, and the values that each may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

ACCOUNT = re.compile(r"\d{12}")
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")
VPC = re.compile(r"vpc-[0-9a-f]{8,17}|vpce-svc-[0-9a-f]{8,17}")
ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
SHORT_SERVICE = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
SERVICE_OR_OWNER = re.compile(r"\d{12}|[a-z]{2,3}(\.[a-z0-9-]+)+")
TAG_VALUE = re.compile(r".{0,256}", re.DOTALL)
ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*?]+|\*")


class Mistakes:
    """Collects every mistake of a document, each with the path of its field."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def expect(self, path: str, expected: str, value: object) -> None:
        """Add a field with a wrong value, and what was expected."""
        self.found.append(f"{path}: expected {expected}, got {format_value(value)}")


class Field(Protocol):
    """Parses one field, or adds its mistakes."""

    def read(self, value: Any, path: str, mistakes: Mistakes) -> Any:
        """Return the value as a baseline holds it."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of distinct texts of one form."""

    form: re.Pattern[str]
    expected: str
    ordered: bool = False  # whether the order is kept

    def read(self, value: Any, path: str, mistakes: Mistakes) -> tuple[str, ...] | frozenset[str]:
        """Return the texts."""
        if not isinstance(value, list):
            mistakes.expect(path, f"a list, each {self.expected}", value)
            return self._kept(())
        for number, each in enumerate(value):
            if not isinstance(each, str) or not self.form.fullmatch(each):
                mistakes.expect(f"{path}[{number}]", self._words(each), each)
        return self._kept(each for each in value if isinstance(each, str))

    def _kept(self, values: Iterable[str]) -> tuple[str, ...] | frozenset[str]:
        kept = dict.fromkeys(values)
        return tuple(kept) if self.ordered else frozenset(kept)

    def _words(self, value: object) -> str:
        # YAML reads an account id without quotes as a number, without its leading zeros.
        quoted = isinstance(value, int) and not isinstance(value, bool)
        return f"{self.expected} in quotes" if quoted else self.expected


@dataclass(frozen=True, slots=True)
class Number:
    """An integer between two bounds."""

    least: int
    most: int

    def read(self, value: Any, path: str, mistakes: Mistakes) -> int:
        """Return the number."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not self.least <= value <= self.most:
            mistakes.expect(path, f"a whole number from {self.least} to {self.most}", value)
            return self.least
        return int(value)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def read(self, value: Any, path: str, mistakes: Mistakes) -> bool:
        """Return the flag."""
        if not isinstance(value, bool):
            mistakes.expect(path, "true or false", value)
        return value is True


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text that is not empty."""

    def read(self, value: Any, path: str, mistakes: Mistakes) -> str:
        """Return the text."""
        if not isinstance(value, str) or not value.strip():
            mistakes.expect(path, "a text", value)
            return ""
        return value.strip()


@dataclass(frozen=True, slots=True)
class TagValues:
    """Tag keys, each with a value or a list of values; `*` matches any value."""

    values: Texts = field(default_factory=lambda: Texts(TAG_VALUE, "a text"))

    def read(self, value: Any, path: str, mistakes: Mistakes) -> dict[str, frozenset[str]]:
        """Return the values by key."""
        if not isinstance(value, Mapping):
            mistakes.expect(path, "tag keys, each with a value or a list of values", value)
            return {}
        return {
            str(key): frozenset(
                self.values.read(
                    each if isinstance(each, list) else [each], f"{path}.{key}", mistakes
                )
            )
            for key, each in value.items()
        }


REQUIREMENTS: Mapping[str, Field] = {
    "required_services": Texts(
        SHORT_SERVICE, "the short name of a service, as in kms or ecr.dkr", ordered=True
    ),
    "trusted_accounts": Texts(ACCOUNT, "an account of 12 digits"),
    "trusted_organizations": Texts(ORGANIZATION, "an organisation id, as in o-a1b2c3d4e5"),
    "allowed_endpoint_services": Texts(
        SERVICE_OR_OWNER,
        "a full service name, as in com.amazonaws.vpce.eu-west-1.vpce-svc-0123456789abcdef0, or "
        "its owner's account",
    ),
    "allowed_regions": Texts(REGION, "a region, as in eu-west-1"),
    "allowed_actions": Texts(ACTION, "an IAM action, as in s3:Get*"),
    "pending_grace_minutes": Number(0, 24 * 60),
    "waiver_approval": Flag(),
    "waiver_max_days": Number(1, 366),
}
EXEMPTION: Mapping[str, Field] = {"exempt": Flag(), "exempt_reason": Sentence()}
CONDITIONS: Mapping[str, Field] = {
    "accounts": Texts(ACCOUNT, "an account of 12 digits"),
    "regions": Texts(REGION, "a region, as in eu-west-1"),
    "vpcs": Texts(VPC, "a VPC or endpoint service id, as in vpc-0123456789abcdef0"),
    "tags": TagValues(),
}


def format_value(value: object) -> str:
    """Return a value as text, truncated to a line."""
    return "nothing" if value is None else repr(value)[:80]
