"""The unit of evaluation, of locking and of reading."""

from __future__ import annotations

import re
from dataclasses import dataclass

ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """One VPC, or one endpoint service on the provider's side, in one account and region.

    `subject` is the id of that VPC (`vpc-…`) or endpoint service (`vpce-svc-…`).
    """

    account: str
    region: str
    subject: str

    def __str__(self) -> str:
        return f"{self.account}/{self.region}/{self.subject}"

    @property
    def vpc_id(self) -> str | None:
        """The VPC id, or nothing where the subject is an endpoint service."""
        return self.subject if self.subject.startswith("vpc-") else None

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Read `account/region/subject` back.

        Raises:
            ValueError: the text is no such triple.
        """
        parts = text.split("/")
        if len(parts) != 3 or not ACCOUNT.fullmatch(parts[0]) or not all(parts):  # noqa: PLR2004
            raise ValueError(f"scope {text!r}: expected ACCOUNT/REGION/VPC, ACCOUNT of 12 digits")
        return cls(*parts)


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """One region of one account: what a sweep looks at."""

    account: str
    name: str

    def __str__(self) -> str:
        return f"{self.account}/{self.name}"
