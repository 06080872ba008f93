"""The options that say which endpoint a policy is for, whom it may trust and what it must allow."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from posture.analysis.endpoint_contexts import TYPES_WITH_POLICY, build_endpoint_context
from posture.analysis.services import COMMON
from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.model.baseline import Baseline
from posture.model.features import FEATURE_NAMES
from posture.model.network import Snapshot
from posture.model.scope import Scope
from posture.model.service_names import find_region, short_name
from posture.policy import EndpointContext, PolicyCheck, Trust
from posture.policy.features.table import find_features
from posture_cli import options
from posture_cli.baseline_file import load_baseline
from posture_cli.command import OptionGroup
from posture_cli.console import open_stderr
from posture_cli.failure import CommandError
from posture_cli.options import SourceOptions, build_parser, option

_parse_account = build_parser(r"\d{12}", "an account of 12 digits")
_parse_org = build_parser(r"o-[a-z0-9]+", "an organization id, as in o-a1b2c3d4e5")
_parse_path = build_parser(r"o-[a-z0-9]+(/.*)?", "an organization, as in o-a1b2c3d4e5")
_parse_vpc = build_parser(r"vpc-\w+", "the id of a VPC, as in vpc-0123456789abcdef0")
_parse_endpoint = build_parser(r"vpce-\w+", "the id of an endpoint, as in vpce-0123456789abcdef0")
_parse_region = build_parser(r"[a-z]{2,4}(-[a-z]+)+-\d+", "a region, as in eu-west-1")
_parse_action = build_parser(
    r"\*|[A-Za-z0-9*?-]+:[A-Za-z0-9*?]+", "an action, as in s3:GetObject or s3:Get*"
)
GLOBAL_SERVICES = frozenset({"iam", "route53"})


def _split(parse: Callable[[str], str]) -> Callable[[str], str]:
    """Return a parser of a list with commas, which keeps the text."""

    def parse_list(text: str) -> str:
        for each in text.split(","):
            parse(each.strip())
        return text

    return parse_list


def _parse_feature(text: str) -> str:
    if text in FEATURE_NAMES:
        return text
    close = difflib.get_close_matches(text, FEATURE_NAMES, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    listed = "" if close else f"; expected one of {', '.join(FEATURE_NAMES)}"
    raise typer.BadParameter(f"there is no feature {text!r}{hint}{listed}")


def _list(values: Iterable[str] | None) -> tuple[str, ...]:
    stated = (each.strip() for value in values or () for each in value.split(","))
    return tuple(dict.fromkeys(stated))


class PolicyEndpointType(StrEnum):
    """The types of endpoint that have a policy."""

    GATEWAY = "gateway"
    INTERFACE = "interface"


@dataclass(frozen=True)
class EndpointOptions(OptionGroup):
    """The endpoint of a policy, and whom the policy may trust."""

    service: Annotated[
        str,
        option("SERVICE", "The service of the endpoint, as in s3 or ecr.dkr, or its full name."),
    ] = ""
    account: Annotated[
        str | None,
        option("ACCOUNT", "The account of the endpoint, which is trusted.", parser=_parse_account),
    ] = None
    trusted_account: Annotated[
        list[str] | None,
        option("ACCOUNT", "Another trusted account; repeat for several.", parser=_parse_account),
    ] = None
    trusted_org: Annotated[
        list[str] | None,
        option("ORGANIZATION", "A trusted organization; repeat for several.", parser=_parse_org),
    ] = None
    organization: Annotated[
        str | None,
        option(
            "ORGANIZATION",
            "The organization of the account. It is not trusted for that.",
            parser=_parse_path,
        ),
    ] = None
    kind: Annotated[
        PolicyEndpointType | None,
        typer.Option(
            "--type",
            help="The type of the endpoint. Default: gateway for s3 and dynamodb, otherwise "
            "interface.",
        ),
    ] = None
    region: Annotated[
        str | None,
        option("REGION", "The region of the endpoint.", "--region", "-r", parser=_parse_region),
    ] = None
    vpc: Annotated[
        str | None,
        option(
            "VPC",
            "The VPC of the endpoint. Without --account it is read: its account, its endpoint and, "
            "with the baseline, its required services.",
            parser=_parse_vpc,
        ),
    ] = None
    endpoint: Annotated[
        str | None, option("ENDPOINT", "The id of the endpoint.", parser=_parse_endpoint)
    ] = None
    snapshot: Annotated[
        Path | None,
        option("FILE|FOLDER", "Read the VPC from a snapshot file, not from AWS.", "--from"),
    ] = None
    baseline: options.BaselineOption = None

    def build_check(self) -> PolicyCheck:
        """Return what a policy is checked against, of the options, the baseline and the VPC."""
        document = load_baseline(self.baseline)
        if self.vpc and (self.snapshot or not self.account):
            return self._read_vpc(document)
        region = self.region or find_region(self.service) or ""
        context = EndpointContext(
            self.account or "",
            _complete_name(self.service, region),
            self._is_gateway,
            self.vpc,
            self.endpoint,
        )
        scope = Scope(self.account or "", region, self.vpc or "")
        required = resolve_baseline(document, scope, {}) if self.account else document.default
        return self._complete(context, required)

    def _read_vpc(self, document: BaselineDocument) -> PolicyCheck:
        """Take the account, the endpoint and the required services of a VPC as it is now."""
        # They import boto3, which the other commands of the group do not need.
        from posture_cli.live import (  # noqa: PLC0415
            collect_vpcs,
            open_observers,
            require_service,
        )

        if not self.service:
            raise typer.BadParameter("name the service of the endpoint: --service")
        regions = [self.region] if self.region else None
        source = SourceOptions(region=regions, file=self.snapshot, account=self.account)
        with open_stderr().status(f"reading {self.vpc}"):
            snapshot = next(iter(collect_vpcs(open_observers(source), [self.vpc or ""])))
            service = require_service(snapshot, self.service)
        context = self._find_endpoint(snapshot, service.name)
        required = resolve_baseline(document, snapshot.scope, snapshot.vpc.tags)
        return self._complete(context, required)

    def _find_endpoint(self, snapshot: Snapshot, service: str) -> EndpointContext:
        found = [
            each
            for each in snapshot.endpoints.values()
            if each.service_name == service
            and each.type in TYPES_WITH_POLICY
            and self.endpoint in {None, each.id}
        ]
        if not found and self.endpoint:
            raise CommandError(f"{self.vpc} has no endpoint {self.endpoint} of {service}")
        if len(found) > 1:
            ids = ", ".join(sorted(each.id for each in found))
            raise CommandError(
                f"{self.vpc} has several endpoints of {service}: use --endpoint ({ids})"
            )
        if found:
            return build_endpoint_context(snapshot, found[0])
        return EndpointContext(snapshot.scope.account, service, self._is_gateway, snapshot.vpc.id)

    @property
    def _is_gateway(self) -> bool:
        if self.kind is None:
            return short_name(self.service) in COMMON
        return self.kind is PolicyEndpointType.GATEWAY

    def _complete(self, context: EndpointContext, required: Baseline) -> PolicyCheck:
        """Add whom to trust, and the features that are required."""
        named = required.aws_owned_resources
        implied = find_features(required.required_services) if named is None else named
        trust = Trust(
            frozenset(self.trusted_account or ()) | required.trusted_accounts,
            frozenset(self.trusted_org or ()) | required.trusted_organizations,
            own_organization=self.organization or required.organization,
        )
        return PolicyCheck(
            context,
            trust,
            datetime.now(UTC),
            required.allowed_actions,
            implied,
            only_features=named is not None,
        )


@dataclass(frozen=True)
class PolicyOptions(EndpointOptions):
    """The endpoint of a policy, and what the policy may and must allow."""

    needs: Annotated[
        list[str] | None,
        option(
            "FEATURE,…",
            "Features of AWS whose requests must pass, as in ecr,ssm,amazon-linux. "
            "posture policy features lists them.",
            parser=_split(_parse_feature),
        ),
    ] = None
    allowed_actions: Annotated[
        list[str] | None,
        option(
            "ACTION,…",
            "The only actions that may be allowed, as in s3:GetObject,s3:PutObject.",
            parser=_split(_parse_action),
        ),
    ] = None
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Trust a resource whose ARN has no account, as S3 buckets, only if the policy "
            "proves its owner or a feature of --needs names it; do not trust other resources that "
            "AWS owns.",
        ),
    ] = False

    def build_check(self) -> PolicyCheck:
        """Return what a policy is checked against, with the features and actions that are named."""
        check = super().build_check()
        return replace(
            check,
            trust=replace(check.trust, strict=self.strict),
            allowed_actions=frozenset(_list(self.allowed_actions)) or check.allowed_actions,
            features=tuple(dict.fromkeys((*_list(self.needs), *check.features))),
        )


def _complete_name(service: str, region: str) -> str:
    """Return the full name of a service in a region, or the name as it is."""
    is_full = bool(find_region(service)) or service.startswith(("com.", "aws."))
    if not (service and region) or is_full or service in GLOBAL_SERVICES:
        return service
    start = "cn.com.amazonaws" if region.startswith("cn-") else "com.amazonaws"
    return f"{start}.{region}.{service}"
