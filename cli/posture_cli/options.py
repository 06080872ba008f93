"""The options that several commands share, and the output formats."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from posture.model.rule_ids import current_rule_id
from posture.model.scope import Scope
from posture_cli.command import OptionGroup, complete_with
from posture_cli.console import print_note
from posture_cli.text import make_printable
from posture_cli.times import parse_past, parse_past_start


class Output(StrEnum):
    """The output formats; each command accepts some of them."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"  # one JSON object per line
    CSV = "csv"
    MARKDOWN = "markdown"
    TEXT = "text"
    SARIF = "sarif"  # for code scanning
    JUNIT = "junit"  # for test reports
    OCSF = "ocsf"  # one event per line
    ASFF = "asff"  # a JSON array for BatchImportFindings, which takes 100 findings per call
    CLI = "cli"  # a command of the AWS CLI
    TERRAFORM = "terraform"
    CLOUDFORMATION = "cloudformation"


RECORDS = (Output.TABLE, Output.JSON, Output.NDJSON, Output.CSV, Output.MARKDOWN)


def option(metavar: str, text: str, *names: str, **settings: Any) -> Any:
    """Declare an option.

    Args:
        metavar: What its value is called in the help.
        text: Its help.
        names: Its names, if the name of the parameter is not enough.
        settings: Anything else that `typer.Option` takes.
    """
    return typer.Option(*names, metavar=metavar, help=text, **settings)


def argument(metavar: str, text: str, **settings: Any) -> Any:
    """Declare a positional argument, as `option` declares an option."""
    return typer.Argument(metavar=metavar, help=text, **settings)


def output_option(*formats: Output) -> Any:
    """Declare `--output` with the formats that a command accepts."""

    def parse(text: str) -> Output:
        if text not in formats:
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(formats)}")
        return Output(text)

    return option(
        f"<{'|'.join(formats)}>",
        "The output format.",
        "--output",
        "-o",
        parser=parse,
        autocompletion=lambda: list(formats),
    )


def build_parser(pattern: str, expected: str) -> Callable[[str], str]:
    """Return a parser of an option that accepts what matches a pattern.

    Args:
        pattern: A regular expression for the whole value.
        expected: What the value must be, with an article and an example, for the error.
    """

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise typer.BadParameter(f"{text!r} is not {expected}")
        return text

    return parse


def parse_rule(text: str) -> str:
    """Return the current id of a rule; note on standard error that a former id was given."""
    current = current_rule_id(text)
    if current != text:
        print_note(f"rule {make_printable(text)} is now called {current}")
    return current


def _parse_live_region(text: str) -> str:
    return text if text == EVERY_REGION else _parse_region(text)


def _parse_single_region(text: str) -> str:
    if text == EVERY_REGION:
        raise typer.BadParameter("this command is about the stack of one Region; name it")
    return _parse_region(text)


def _parse_accounts(text: str) -> str:
    """Parse accounts that are separated by commas or spaces, as a file may hold them."""
    accounts = text.replace(",", " ").split()
    return " ".join(map(_parse_account, accounts))


def _parse_scope(text: str) -> Scope:
    try:
        return Scope.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _table_option(name: str, *aliases: str) -> Any:
    text = f"The {name} table. Default: the one of the stack."
    return option("TABLE", text, f"--{name}-table", *aliases)


# us-gov-west-1, eusc-de-east-1
_parse_region = build_parser(r"[a-z]{2,4}(-[a-z]+)+-\d+", "a Region, as in eu-west-1")
_regions = "A Region; repeat for several. Default: the Region of your AWS settings."
OutputOption = Annotated[Output, output_option(*RECORDS)]
RegionsOption = Annotated[
    list[str] | None,
    option(
        "REGION",
        _regions,
        "--region",
        "-r",
        parser=_parse_region,
        autocompletion=complete_with("list_regions"),
    ),
]
EVERY_REGION = "all"
LiveRegionsOption = Annotated[
    list[str] | None,
    option(
        "REGION",
        f"{_regions} With all: every Region that is enabled in the account.",
        "--region",
        "-r",
        parser=_parse_live_region,
        autocompletion=complete_with("list_regions"),
    ),
]
_parse_account = build_parser(r"\d{12}", "an account of 12 digits")
_parse_vpc = build_parser(r"vpc-[0-9a-f]+", "a VPC, as in vpc-0123456789abcdef0")
AccountOption = Annotated[
    str | None,
    option("ACCOUNT", "An account of 12 digits.", autocompletion=complete_with("list_accounts")),
]
VpcsOption = Annotated[
    list[str] | None, option("VPC", "Only this VPC; repeat for several.", parser=_parse_vpc)
]
BaselineOption = Annotated[
    Path | None, option("FILE", "A baseline file. Default: the built-in baseline.")
]
StackOption = Annotated[str, option("NAME", "The stack of the deployed monitor.")]
StoredOption = Annotated[
    list[str] | None,
    option(
        "NAME",
        "Show what this deployed monitor observed last, in each --region; read no VPC. Repeat for "
        "several.",
        "--stack",
    ),
]
RuleOption = Annotated[
    str | None,
    option(
        "RULE",
        "The id of a rule: posture rules",
        parser=parse_rule,
        autocompletion=complete_with("list_rules"),
    ),
]
ResourceOption = Annotated[str | None, option("RESOURCE", "The id of a resource.")]
VpcOption = Annotated[str | None, option("VPC", "The id of a VPC or of an endpoint service.")]
ScopeOption = Annotated[
    Scope | None,
    option("SCOPE", "A scope, as alerts show it: ACCOUNT/REGION/VPC.", parser=_parse_scope),
]
AsOfOption = Annotated[
    datetime | None,
    option("TIME", "Show the findings of this past time, from history.", parser=parse_past),
]
DuringOption = Annotated[
    tuple[str, str] | None,
    option("T1 T2", "List what was bad at any time of this period, from history."),
]
LimitOption = Annotated[
    int | None, option("NUMBER", "List at most this many, and read no further.", min=1)
]
BaselineTableOption = Annotated[str | None, _table_option("baseline")]
HistoryTableOption = Annotated[str | None, _table_option("history")]
IdempotencyTableOption = Annotated[str | None, _table_option("idempotency")]


@dataclass(frozen=True)
class SourceOptions(OptionGroup):
    """Where the network is read: in AWS, or in a file."""

    region: LiveRegionsOption = None
    file: Annotated[
        Path | None,
        option(
            "FILE|FOLDER",
            "Read a snapshot file, or a folder with output of aws ec2 describe-*; needs neither "
            "credentials nor network.",
            "--from",
        ),
    ] = None
    account: Annotated[
        str | None,
        option(
            "ACCOUNT",
            "With --from: the account, if the output does not say it.",
            parser=_parse_account,
        ),
    ] = None


@dataclass(frozen=True)
class AccountsOptions(OptionGroup):
    """Which accounts are read, and how."""

    org: Annotated[
        bool,
        typer.Option(
            "--org",
            help="Read every active account of your organization, with the credentials of its "
            "management account or of a delegated administrator.",
        ),
    ] = False
    accounts: Annotated[
        list[str] | None,
        option(
            "ACCOUNTS",
            "Read these accounts, separated by commas; repeat for more.",
            parser=_parse_accounts,
            autocompletion=complete_with("list_accounts"),
        ),
    ] = None
    role: Annotated[
        str | None,
        option(
            "NAME",
            "The role to assume in each account but your own, for reading only. With --org "
            "alone: OrganizationAccountAccessRole.",
            parser=build_parser(r"[\w+=,.@/-]{1,512}", "the name of a role, without its ARN"),
        ),
    ] = None
    external_id: Annotated[
        str | None, option("ID", "The external id that the trust policies of the roles ask for.")
    ] = None

    @property
    def are_given(self) -> bool:
        """Whether any of them is given."""
        return any((self.org, self.accounts, self.role, self.external_id))


SharedNetworkOption = Annotated[
    bool,
    typer.Option(
        "--shared-network",
        help="Also read what VPCs share: private hosted zones, Resolver rules, Route 53 Profiles, "
        "transit gateways, peering connections. Then endpoints in other VPCs count.",
    ),
]


@dataclass(frozen=True)
class StackOptions(OptionGroup):
    """Where the monitor is deployed."""

    stack: StackOption = "posture"
    region: Annotated[
        str | None,
        option(
            "REGION",
            "The stack's Region.",
            "--region",
            "-r",
            parser=_parse_single_region,
            autocompletion=complete_with("list_regions"),
        ),
    ] = None


@dataclass(frozen=True)
class StacksOptions(OptionGroup):
    """Where monitors are deployed: each stack is read in each Region."""

    stack: Annotated[
        list[str] | None,
        option("NAME", "The stack of the deployed monitor; repeat for several. Default: posture."),
    ] = None
    region: Annotated[
        list[str] | None,
        option(
            "REGION",
            f"{_regions} With all: every enabled Region that has such a stack.",
            "--region",
            "-r",
            parser=_parse_live_region,
            autocompletion=complete_with("list_regions"),
        ),
    ] = None


@dataclass(frozen=True)
class BaselineTableOptions(StackOptions):
    """The stack, and its baseline table, which also holds the waivers."""

    baseline_table: BaselineTableOption = None


@dataclass(frozen=True)
class WaiverTableOptions(BaselineTableOptions):
    """The stack, and the tables that a change of a waiver is written to."""

    history_table: HistoryTableOption = None


@dataclass(frozen=True)
class HistoryTableOptions(OptionGroup):
    """The history table, and whether the cost of reading is shown."""

    history_table: HistoryTableOption = None
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also print the DynamoDB read units consumed.")
    ] = False

    def named(self, *tables: str) -> dict[str, str | None]:
        """Return the name of each of these tables, or None where the stack knows it."""
        return {table: getattr(self, f"{table}_table") for table in tables}


@dataclass(frozen=True)
class FindingTableOptions(HistoryTableOptions):
    """The findings and history tables."""

    findings_table: Annotated[str | None, _table_option("findings", "--table")] = None


@dataclass(frozen=True)
class AllTableOptions(FindingTableOptions):
    """The findings, history and baseline tables."""

    baseline_table: BaselineTableOption = None

    def all_named(self) -> dict[str, str | None]:
        """Return the names of all; without the baseline's where every other one was given."""
        named = self.named("findings", "history")
        if self.baseline_table or not all(named.values()):
            named |= self.named("baseline")
        return named


@dataclass(frozen=True)
class ScopeOptions(OptionGroup):
    """Filters for scopes."""

    account: AccountOption = None
    vpc: VpcOption = None
    scope: ScopeOption = None


@dataclass(frozen=True)
class TimeOptions(OptionGroup):
    """Filters for times."""

    since: Annotated[
        datetime | None,
        option("TIME", "Only changes at or after this time.", parser=parse_past_start),
    ] = None
    until: Annotated[
        datetime | None, option("TIME", "Only changes at or before this time.", parser=parse_past)
    ] = None

    def __post_init__(self) -> None:
        """Refuse a period that ends before it begins.

        Raises:
            typer.BadParameter: It does.
        """
        if self.since and self.until and self.until < self.since:
            raise typer.BadParameter(
                f"--until ({self.until:%F %T}) is before --since ({self.since:%F %T})"
            )
