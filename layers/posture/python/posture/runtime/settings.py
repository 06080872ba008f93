"""What a function is told by its environment, checked once and as a whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from posture.errors import SettingsError
from posture.model.scope import ACCOUNT, Region

TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")

MEMBERS = re.compile(r"(\d{12}(,\d{12})*)?")
ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}")
EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}")

EXPECTED = {
    "AWS_REGION": (REGION, "a region, which Lambda sets"),
    "MONITORED_ACCOUNT": (ACCOUNT, "an account of 12 digits"),
    "FINDINGS_TABLE": (TABLE, "the name of a DynamoDB table"),
    "HISTORY_TABLE": (TABLE, "the name of a DynamoDB table"),
    "BASELINE_TABLE": (TABLE, "the name of a DynamoDB table"),
    "OWNERSHIP_TABLE": (TABLE, "the name of a DynamoDB table"),
    "IDEMPOTENCY_TABLE": (TABLE, "the name of a DynamoDB table"),
    "ALERT_TOPIC_ARN": (TOPIC, "the ARN of an SNS topic"),
}
HUB = re.compile("|off|on|by-your-endpoint")


EXPECTED_OF_MEMBERS = {
    "MEMBER_ROLE_NAME": (ROLE_NAME, "the name of the role that member accounts offer"),
    "MEMBER_EXTERNAL_ID": (EXTERNAL_ID, "the external id that member accounts ask for"),
}


@dataclass(frozen=True, slots=True)
class MemberAccess:
    """The member accounts, and how each lets itself be looked at."""

    accounts: tuple[str, ...] = ()
    role_name: str = ""
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Tables:
    """The names of the stack's tables."""

    findings: str
    history: str
    baseline: str
    ownership: str
    idempotency: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the functions look at, and where they write and publish."""

    region: Region
    tables: Tables
    topic_arn: str
    members: MemberAccess = MemberAccess()
    security_hub: bool = False

    @property
    def partition(self) -> str:
        """Which AWS this is, as ARNs have it: `aws`, `aws-cn`, `aws-us-gov`."""
        return self.topic_arn.split(":")[1]

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from an environment.

        Raises:
            SettingsError: variables are missing or malformed; the text names every one of them.
        """
        expectations = {
            **EXPECTED,
            "MEMBER_ACCOUNTS": (MEMBERS, "accounts, commas between"),
            "SECURITY_HUB": (HUB, "off, on or by-your-endpoint"),
        }
        if environ.get("MEMBER_ACCOUNTS"):
            expectations |= EXPECTED_OF_MEMBERS
        mistakes = [
            f"{name}: expected {expected}, got {environ.get(name, '')!r}"
            for name, (form, expected) in expectations.items()
            if not form.fullmatch(environ.get(name, ""))
        ]
        if mistakes:
            raise SettingsError("; ".join(mistakes))
        tables = Tables(
            findings=environ["FINDINGS_TABLE"],
            history=environ["HISTORY_TABLE"],
            baseline=environ["BASELINE_TABLE"],
            ownership=environ["OWNERSHIP_TABLE"],
            idempotency=environ["IDEMPOTENCY_TABLE"],
        )
        region = Region(environ["MONITORED_ACCOUNT"], environ["AWS_REGION"])
        hub = environ.get("SECURITY_HUB", "") not in {"", "off"}
        return cls(region, tables, environ["ALERT_TOPIC_ARN"], _members(environ), hub)


def _members(environ: Mapping[str, str]) -> MemberAccess:
    accounts = environ.get("MEMBER_ACCOUNTS", "")
    if not accounts:
        return MemberAccess()
    return MemberAccess(
        tuple(dict.fromkeys(accounts.split(","))),
        environ["MEMBER_ROLE_NAME"],
        environ["MEMBER_EXTERNAL_ID"],
    )
