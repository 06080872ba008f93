"""Scopes and regions: what is observed, evaluated and stored together."""

from __future__ import annotations

import re

from posture.lean_dataclass import dataclass

ACCOUNT = re.compile(r"[0-9]{12}")
MONITOR = "monitor"


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """One VPC or endpoint service in one account and region, that region itself, or the monitor.

    `subject` is the id of the VPC (`vpc-…`) or endpoint service (`vpce-svc-…`), the region, or
    `monitor`: what the monitor consists of in the account.
    """

    account: str
    region: str
    subject: str

    def __str__(self) -> str:
        return f"{self.account}/{self.region}/{self.subject}"

    @property
    def vpc_id(self) -> str | None:
        """The VPC id; None if the subject is an endpoint service or a region."""
        return self.subject if self.subject.startswith("vpc-") else None

    @property
    def is_region(self) -> bool:
        """Whether the subject is the region itself, or the monitor there: nothing of a network."""
        return self.subject == self.region or self.is_monitor

    @property
    def is_monitor(self) -> bool:
        """Whether the subject is the monitor itself."""
        return self.subject == MONITOR

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Parse `account/region/subject`.

        Raises:
            ValueError: the text has another form.
        """
        parts = text.split("/")
        if len(parts) != 3 or not ACCOUNT.fullmatch(parts[0]) or not all(parts):  # noqa: PLR2004
            raise ValueError(
                f"scope {text!r}: expected ACCOUNT/REGION/VPC with a 12-digit account ID"
            )
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class ScopeNames:
    """The names that people gave to a scope's subject and account; "" where none is known.

    Attributes:
        subject: The `Name` tag of the VPC or endpoint service.
        account: The account's name in the baseline.
    """

    subject: str = ""
    account: str = ""


NO_NAMES = ScopeNames()


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """One region of one account, the unit of a sweep."""

    account: str
    name: str

    def __str__(self) -> str:
        return f"{self.account}/{self.name}"

    @property
    def scope(self) -> Scope:
        """The scope of the region itself, of which only the access to it is evaluated."""
        return Scope(self.account, self.name, self.name)

    @property
    def monitor(self) -> Scope:
        """The scope of what the monitor itself consists of in the account."""
        return Scope(self.account, self.name, MONITOR)
