"""The settings of a function, read from its environment and checked together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta

from posture.errors import SettingsError
from posture.lean_dataclass import dataclass
from posture.model.scope import ACCOUNT, Region


@dataclass(frozen=True, slots=True)
class MemberAccess:
    """The member accounts and the role through which each is observed.

    `in_table` says that the baseline table holds the accounts, and not `accounts`.
    """

    accounts: tuple[str, ...] = ()
    role_name: str = ""
    external_id: str = ""
    in_table: bool = False


@dataclass(frozen=True, slots=True)
class EvidenceBucket:
    """The bucket that keeps exported chain ends, and the account that owns it."""

    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class Tables:
    """The names of the stack's DynamoDB tables; `network` is "" if no shared network is read."""

    findings: str
    history: str
    baseline: str
    ownership: str
    idempotency: str
    network: str = ""


TABLE_VARIABLES = {each.name: f"{each.name.upper()}_TABLE" for each in fields(Tables)}
TABLE = (re.compile(r"[A-Za-z0-9_.-]{3,255}"), "the name of a DynamoDB table")
# For each variable the form of its value, and how an error describes it.
EXPECTED = {
    "AWS_REGION": (re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+"), "an AWS Region, which Lambda sets"),
    "MONITORED_ACCOUNT": (ACCOUNT, "a 12-digit account ID"),
    **dict.fromkeys(TABLE_VARIABLES.values(), TABLE),
    "ALERT_TOPIC_ARN": (
        re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}"),
        "the ARN of an SNS topic",
    ),
    "MEMBER_ACCOUNTS": (
        re.compile(r"([0-9]{12}(,[0-9]{12})*)?"),
        "12-digit account IDs, separated by commas",
    ),
    "MEMBERS": (re.compile("|parameter|table"), "parameter or table"),
    "STACK_NAME": (
        re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}"),
        "the name of a CloudFormation stack",
    ),
    "MONITOR_VPC_ID": (re.compile(r"|vpc-[0-9a-z]+"), "the ID of the functions' VPC"),
    "NETWORK_TABLE": (
        re.compile(rf"|{TABLE[0].pattern}"),
        "the name of a DynamoDB table, or empty",
    ),
    "RESOLVED_FINDING_DAYS": (re.compile(r"[0-9]{1,4}"), "a number of days, or 0 for no limit"),
    "EVIDENCE_BUCKET": (re.compile(r"|[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), "the name of a bucket"),
    "EVIDENCE_BUCKET_OWNER": (re.compile(rf"|{ACCOUNT.pattern}"), "a 12-digit account ID"),
    "HTTPS_ALERT_FORMAT": (re.compile("|json|amazon-q"), "json or amazon-q"),
    "SECURITY_HUB": (re.compile("|off|on|by-your-endpoint"), "off, on or by-your-endpoint"),
}
EXPECTED_WITH_MEMBERS = EXPECTED | {
    "MEMBER_ROLE_NAME": (
        re.compile(r"([\w+=,.@-]+/)*[\w+=,.@-]{1,64}"),
        "the name of the IAM role in the member accounts, after its path",
    ),
    "MEMBER_EXTERNAL_ID": (
        re.compile(r"[\w+=,.@:/-]{2,1224}"),
        "the external ID that the role in the member accounts requires",
    ),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the functions observe, and where they write and publish."""

    region: Region
    tables: Tables
    topic_arn: str
    stack: str
    own_vpc: str = ""  # the VPC of the functions
    members: MemberAccess = MemberAccess()
    security_hub: bool = False
    chat: bool = False  # whether HTTPS subscribers receive the form of Amazon Q Developer
    evidence: EvidenceBucket | None = None
    keep_resolved: timedelta | None = None  # how long resolved findings stay in the findings table

    @property
    def partition(self) -> str:
        """The AWS partition, as in ARNs: `aws`, `aws-cn` or `aws-us-gov`."""
        return self.topic_arn.split(":")[1]

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from environment variables.

        Raises:
            SettingsError: variables are missing or malformed; the message names each of them.
        """
        accounts = environ.get("MEMBER_ACCOUNTS", "")
        in_table = environ.get("MEMBERS", "") == "table"
        expected_of = EXPECTED_WITH_MEMBERS if accounts or in_table else EXPECTED
        mistakes = [
            f"{name}: expected {expected}, got {environ.get(name, '')!r}"
            for name, (form, expected) in expected_of.items()
            if not form.fullmatch(environ.get(name, ""))
        ]
        if accounts and in_table:
            mistakes.append(f"MEMBER_ACCOUNTS: expected none with MEMBERS=table, got {accounts!r}")
        if mistakes:
            raise SettingsError("; ".join(mistakes))
        days = int(environ["RESOLVED_FINDING_DAYS"])
        members = MemberAccess()
        if accounts or in_table:
            members = MemberAccess(
                tuple(dict.fromkeys(accounts.split(","))) if accounts else (),
                environ["MEMBER_ROLE_NAME"],
                environ["MEMBER_EXTERNAL_ID"],
                in_table,
            )
        return cls(
            region=Region(environ["MONITORED_ACCOUNT"], environ["AWS_REGION"]),
            tables=Tables(
                **{name: environ.get(each, "") for name, each in TABLE_VARIABLES.items()}
            ),
            topic_arn=environ["ALERT_TOPIC_ARN"],
            stack=environ["STACK_NAME"],
            own_vpc=environ.get("MONITOR_VPC_ID", ""),
            members=members,
            keep_resolved=timedelta(days=days) if days else None,
            evidence=_read_evidence(environ),
            security_hub=environ.get("SECURITY_HUB", "") not in {"", "off"},
            chat=environ.get("HTTPS_ALERT_FORMAT", "") == "amazon-q",
        )


def _read_evidence(environ: Mapping[str, str]) -> EvidenceBucket | None:
    """Return the bucket that chain ends are exported to, by default one of this account."""
    name = environ.get("EVIDENCE_BUCKET", "")
    owner = environ.get("EVIDENCE_BUCKET_OWNER", "") or environ["MONITORED_ACCOUNT"]
    return EvidenceBucket(name, owner) if name else None
