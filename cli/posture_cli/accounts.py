"""The account-regions that a command reads: the caller's own, named accounts, an organization."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
from botocore.session import Session

from posture.ec2.errors import describe_denial, get_error_code
from posture.ec2.observer import Observer
from posture.lean_dataclass import dataclass
from posture.model.scope import Region
from posture.runtime.clients import CONFIG, assume_role, complete_models
from posture.runtime.response_parsers import use_lean_parsers
from posture_cli.completion import remember_accounts
from posture_cli.console import print_note
from posture_cli.failure import CommandError, describe_failure
from posture_cli.options import EVERY_REGION, AccountsOptions
from posture_cli.partial_client import open_ec2

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

# Every account that AWS Organizations creates has it; it may do everything, so it is restricted.
# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_access.html
DEFAULT_ROLE = "OrganizationAccountAccessRole"
# The session may do only what both this and the role's policies allow.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
READ_VPCS = ("ec2:Describe*", "ec2:GetManagedPrefixListEntries")
READ_SHARED_NETWORK = (
    *READ_VPCS,
    "ec2:GetTransitGatewayPrefixListReferences",
    "ec2:SearchTransitGatewayRoutes",
    "networkmanager:Get*",
    "networkmanager:List*",
    "route53:Get*",
    "route53:List*",
    "route53profiles:Get*",
    "route53profiles:List*",
    "route53resolver:Get*",
    "route53resolver:List*",
)
HOME = "us-east-1"  # asked which regions there are, if the caller's settings name none
OPENED_AT_ONCE = 10  # accounts
_creating = Lock()  # clients: botocore's sessions are not made for several threads


@dataclass(frozen=True, slots=True)
class Target:
    """A region of an account that is to be read, or why it cannot be."""

    region: Region
    open_observer: Callable[[], Observer]
    open_client: Callable[[str], Any] | None = None  # of a service by its name; None of a file


@dataclass(frozen=True, slots=True)
class UnreadableTarget:
    """An account whose role cannot be assumed, or whose regions cannot be listed."""

    region: Region  # its name is `all` if the regions are not known
    reason: str


AnyTarget = Target | UnreadableTarget


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose credentials are used, and the regions to read with them; empty: every enabled one."""

    session: Session = field(repr=False)
    account: str
    partition: str
    home: str
    regions: tuple[str, ...]


def find_caller(regions: Sequence[str], profile: str | None = None) -> Caller:
    """Find out whose credentials are in use, and which regions to read.

    Args:
        regions: The regions, or `all`; empty: the region of the caller's AWS settings.
        profile: A profile of the caller's AWS settings; None: the one that is in use.

    Raises:
        NoRegionError: No region is given, and the caller's AWS settings name none.
        ClientError, BotoCoreError: The credentials are missing or not accepted.
    """
    session = complete_models(Session(profile=profile))
    use_lean_parsers(session)
    own = session.get_config_variable("region")
    every = EVERY_REGION in regions
    names = () if every else tuple(dict.fromkeys(regions or filter(None, [own])))
    if not names and not every:
        raise NoRegionError
    home = next(iter(names), own or HOME)
    sts = cast("Any", session.create_client("sts", home, config=CONFIG))
    identity = sts.get_caller_identity()
    partition = identity["Arn"].split(":")[1]
    return Caller(session, identity["Account"], partition, home, names)


def open_targets(
    caller: Caller, options: AccountsOptions, actions: Sequence[str] = READ_VPCS
) -> list[AnyTarget]:
    """Open the regions of the accounts that the options name, or of the caller's own.

    An account that cannot be opened is a target with the reason, and hinders no other. `actions`
    are all that the sessions of other accounts may do.

    Raises:
        CommandError: The options contradict each other, or the accounts cannot be listed.
    """
    accounts = _list_accounts(caller, options)
    role = _choose_role(options, others=set(accounts) - {caller.account})
    remember_accounts(accounts)
    with ThreadPoolExecutor(OPENED_AT_ONCE, thread_name_prefix="account") as pool:
        assume = partial(_assume_role, caller, role, options.external_id, _allow(actions))
        opened = list(pool.map(partial(_open_account, caller, role, assume), accounts))
    return [target for targets in opened for target in targets]


def _list_accounts(caller: Caller, options: AccountsOptions) -> Sequence[str]:
    named = [each for text in options.accounts or () for each in text.split()]
    if options.org:
        named += _list_organization(caller)
    elif options.role and not named:
        raise CommandError("--role is for other accounts: give --org, or --accounts with a list")
    return tuple(dict.fromkeys(named)) or (caller.account,)


def _list_organization(caller: Caller) -> Sequence[str]:
    """List the active accounts of the caller's organization.

    https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
    """
    with _creating:
        client = caller.session.create_client("organizations", caller.home, config=CONFIG)
    try:
        pages = client.get_paginator("list_accounts").paginate()
        found: list[Mapping[str, Any]] = [each for page in pages for each in page["Accounts"]]
    except ClientError as error:
        raise CommandError(
            f"the accounts of the organization cannot be listed: {get_error_code(error)}. Only its "
            "management account and delegated administrators can, with organizations:ListAccounts; "
            "without it, name the accounts with --accounts"
        ) from error
    active = [str(each["Id"]) for each in found if _is_active(each)]
    if inactive := len(found) - len(active):
        print_note(f"left out {inactive} of {len(found)} accounts, which are not active")
    return sorted(active)


def _is_active(account: Mapping[str, Any]) -> bool:
    """Whether an account is active; `State` replaces `Status`."""
    return (account.get("State") or account.get("Status")) == "ACTIVE"


def _choose_role(options: AccountsOptions, *, others: Iterable[str]) -> str:
    if not others or options.role:
        return options.role or ""
    if options.org and not options.accounts:
        return DEFAULT_ROLE
    raise CommandError("--accounts needs --role: the role to assume in each account")


def _allow(actions: Sequence[str]) -> str:
    """Write the session policy that allows actions."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def _open_account(
    caller: Caller, role: str, assume: Callable[[str], Session], account: str
) -> Sequence[AnyTarget]:
    session, using = caller.session, ""
    try:
        if account != caller.account:
            using = f" (role {role})"
            session = assume(account)
        regions = caller.regions or list_regions(session, caller.home)
    except (ClientError, BotoCoreError) as error:
        reason = f"{_describe(error)}{using}"
        names = caller.regions or (EVERY_REGION,)
        return [UnreadableTarget(Region(account, each), reason) for each in names]
    return [
        Target(
            Region(account, each),
            partial(_open_observer, session, Region(account, each)),
            partial(_open_client, session, each),
        )
        for each in regions
    ]


def _assume_role(
    caller: Caller, role: str, external_id: str | None, policy: str, account: str
) -> Session:
    arn = f"arn:{caller.partition}:iam::{account}:role/{role}"
    with _creating:
        session = assume_role(
            caller.session, arn, caller.home, external_id=external_id, policy=policy
        )
    cast("Any", session.get_credentials()).get_frozen_credentials()  # assumes the role
    return session


def _open_client(session: Session, region: str, service: str) -> Any:
    """Open a client; botocore knows which services have one endpoint for all regions."""
    with _creating:
        return cast("Any", session).create_client(service, region, config=CONFIG)


def _open_observer(session: Session, region: Region) -> Observer:
    with _creating:
        return Observer(open_ec2(session, region.name), region)


def list_regions(session: Session, home: str) -> tuple[str, ...]:
    """List the regions that are enabled in the account of a session.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
    """
    with _creating:
        client = cast("EC2Client", session.create_client("ec2", home, config=CONFIG))
    return tuple(sorted(each["RegionName"] for each in client.describe_regions()["Regions"]))


def _describe(error: Exception) -> str:
    operation = getattr(error, "operation_name", "DescribeRegions")
    return describe_denial(error, operation) or describe_failure(error) or str(error)
