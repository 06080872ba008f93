"""Turn CloudFormation templates into the rows of their Regions before and after the deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from posture_cli.failure import CommandError
from posture_cli.plan.alone import record_alone, start_region
from posture_cli.plan.cloudformation_ids import KINDS
from posture_cli.plan.cloudformation_mapping import add_stacks, list_notes, list_stacks
from posture_cli.plan.cloudformation_opening import Exports, StackPlan, open_stack, plan_deployed
from posture_cli.plan.cloudformation_sources import DeployedStack, StackSource
from posture_cli.plan.cloudformation_stack import NO_ACCOUNT, PlannedStack, add_outside_vpc
from posture_cli.plan.ipv6_blocks import check_stand_ins, list_stand_ins
from posture_cli.plan.overlay import (
    apply_difference,
    drop_targets,
    leave_out,
    rename_ids,
    strip_rows,
)
from posture_cli.plan.planned import PlannedChange
from posture_cli.plan.resources import endpoints
from posture_cli.plan.rows import PlannedRegion, Row
from posture_cli.plan.terraform_resolver import Choice
from posture_cli.plan.unassigned import assign
from posture_cli.recorded.region import RecordedRegion

SUBNETS = "DescribeSubnets"
RETAINED = ("Retain", "RetainExceptOnCreate")
# The properties whose change makes CloudFormation replace a resource.
IMMUTABLE: Mapping[str, tuple[str, ...]] = {
    "AWS::EC2::VPC": ("CidrBlock", "Ipv4IpamPoolId"),
    "AWS::EC2::Subnet": ("VpcId", "CidrBlock", "AvailabilityZone", "Ipv6Native"),
    "AWS::EC2::RouteTable": ("VpcId",),
    "AWS::EC2::NetworkAcl": ("VpcId",),
    "AWS::EC2::SecurityGroup": ("VpcId", "GroupName", "GroupDescription"),
    "AWS::EC2::NatGateway": ("SubnetId", "ConnectivityType", "VpcId"),
    "AWS::EC2::VPCEndpoint": ("VpcId", "ServiceName", "VpcEndpointType"),
    "AWS::EC2::NetworkInterface": ("SubnetId",),
    "AWS::EC2::Instance": ("SubnetId",),
    "AWS::EC2::VPCPeeringConnection": ("VpcId", "PeerVpcId"),
    "AWS::EC2::DHCPOptions": ("DomainNameServers", "DomainName"),
}


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What a person states beside the templates.

    Attributes:
        observed_at: The time of rows that were not read before.
        bases: Regions as they are, over which the plan is laid.
        region: The Region of stacks that do not name one.
        account: The account of stacks that do not name one.
        parameters: Values of parameters by stack; those of None are for any stack.
        deployed: The deployed stacks by the name of their source; None is a template's own.
        replaced: Whether a change set replaces resources, by logical id.
    """

    observed_at: datetime
    bases: Sequence[RecordedRegion] = ()
    region: str | None = None
    account: str | None = None
    parameters: Mapping[str | None, Mapping[str, Any]] | None = None
    deployed: Mapping[str | None, DeployedStack] | None = None
    replaced: Mapping[str, str] | None = None


def plan_cloudformation(
    sources: Sequence[StackSource], settings: PlanSettings
) -> list[PlannedChange]:
    """Return the Regions of stacks before and after their deployment.

    Raises:
        CommandError: A Region is not known, or a value of a template has the wrong form.
    """
    places: dict[tuple[str | None, str], list[StackSource]] = {}
    for source in sources:
        deployed = (settings.deployed or {}).get(source.name)
        known = (deployed.place if deployed else None) or (None, None)
        region = source.region or known[1] or settings.region
        account = source.account or known[0] or settings.account
        if region is None:
            name = source.name or source.template.source
            raise CommandError(f"{name}: its Region is not known; give --region")
        places.setdefault((account, region), []).append(source)
    return [
        _RegionPlanner(account, region, listed, settings).plan()
        for (account, region), listed in places.items()
    ]


class _RegionPlanner:
    """Plans one Region of one account."""

    def __init__(
        self,
        account: str | None,
        region: str,
        sources: Sequence[StackSource],
        settings: PlanSettings,
    ) -> None:
        bases = (each for each in settings.bases if each.region == region)
        self._base = next((each for each in bases if account in (None, each.account)), None)
        self._account = account or (self._base.account if self._base else None)
        self._region = region
        self._sources = sources
        self._settings = settings
        self._several = len(sources) > 1

    def plan(self) -> PlannedChange:
        """Return the Region before the plan, and after it in each reading."""
        ids = self._find_ids()
        before = self._build(self._former(), {})
        choices: dict[str, Choice] = {}
        first = self._build(self._latter(ids), {}, choices)
        others = [
            (choice.text, self._build(self._latter(ids), {key: option}))
            for key, choice in choices.items()
            for option in range(1, choice.options)
        ]
        for vpc_id in first.region.outside:  # these exist before as well
            add_outside_vpc(before.region, vpc_id)
        renamed = dict(self._list_renamed(ids))
        return PlannedChange(
            before=self._record_before(before.region, renamed),
            after=tuple(self._record(before, it, ids) for it in (first, *(it for _, it in others))),
            notes=tuple(dict.fromkeys(self._note(first))),
            choices=tuple(text for text, _ in others),
        )

    @cached_property
    def _managed(self) -> frozenset[str]:
        deployed = self._list_deployed()
        return frozenset(
            physical
            for stack in deployed
            for name, physical in stack.physical_ids.items()
            if name in stack.template.resources and stack.template.resources[name]["Type"] in KINDS
        )

    def _list_deployed(self) -> list[DeployedStack]:
        known = self._settings.deployed or {}
        return [known[each.name] for each in self._sources if each.name in known]

    def _build(
        self,
        plans: Sequence[StackPlan],
        reading: Mapping[str, int],
        choices: dict[str, Choice] | None = None,
    ) -> _Build:
        rows = strip_rows(self._base.rows, self._managed) if self._base else None
        account = self._account or NO_ACCOUNT
        region = start_region(account, self._region, rows)
        exports = Exports()
        stacks = [open_stack(each, region, exports, several=self._several) for each in plans]
        exports.stacks = list(list_stacks(stacks))
        add_stacks(stacks)
        endpoints.complete_endpoints(region)
        check_stand_ins(region)
        assign(region, reading, choices if choices is not None else {})
        return _Build(region, stacks)

    def _former(self) -> list[StackPlan]:
        """List the stacks as they are deployed."""
        known = self._settings.deployed or {}
        return [plan_deployed(stack) for each in self._sources if (stack := known.get(each.name))]

    def _latter(self, ids: Mapping[str | None, Mapping[str, str]]) -> list[StackPlan]:
        """List the stacks after the deployment, and what they leave behind."""
        known = self._settings.deployed or {}
        given = self._settings.parameters or {}
        plans = []
        for each in self._sources:
            stack = known.get(each.name)
            name = each.name or (stack.name if stack else None)
            values = {**(stack.parameters if stack else {}), **given.get(None, {})}
            values |= given.get(each.name, {}) if each.name else {}
            declared = {key: it for key, it in values.items() if key in each.template.parameters}
            former = None
            if stack:
                former = plan_deployed(stack)
                left = frozenset(_list_left(stack, each.template, ids.get(each.name, {})))
                plans.append(replace(former, only=left))
            kept = ids.get(each.name, {})
            stack_id = stack.stack_id if stack else None
            plans.append(StackPlan(each, name, declared, kept, stack_id, former=former))
        return plans

    def _find_ids(self) -> dict[str | None, dict[str, str]]:
        """Find the resources that exist and are not replaced, by the name of their stack."""
        known = self._settings.deployed or {}
        replaced = self._settings.replaced or {}
        ids = {
            each.name: {
                name: physical
                for name, physical in known[each.name].physical_ids.items()
                if name in each.template.resources
                and each.template.resources[name]["Type"]
                == known[each.name].template.resources.get(name, {}).get("Type")
                and replaced.get(name) != "True"
            }
            for each in self._sources
            if each.name in known
        }
        while gone := list(self._list_replaced(ids)):
            for stack, name in gone:
                del ids[stack][name]
        return ids

    def _list_replaced(
        self, ids: Mapping[str | None, Mapping[str, str]]
    ) -> Iterator[tuple[str | None, str]]:
        """List resources of which a property changes that cannot change in place."""
        if not ids:
            return
        before = self._build(self._former(), {}).stacks
        after = [it for it in self._build(self._latter(ids), {}).stacks if it.only is None]
        was = {it.settings.name: it for it in before}
        for source, stack in zip(self._sources, after, strict=True):
            former = was.get(stack.settings.name)
            if source.name not in ids or former is None:
                continue
            for name in ids[source.name]:
                kind = stack.template.resources[name]["Type"]
                if any(
                    former.get_property(name, each) != stack.get_property(name, each)
                    for each in IMMUTABLE.get(kind, ())
                ):
                    yield source.name, name

    def _list_renamed(
        self, ids: Mapping[str | None, Mapping[str, str]]
    ) -> Iterator[tuple[str, str]]:
        """List the ids of replaced resources with the symbols that stand for the new ones."""
        known = self._settings.deployed or {}
        for plan, source in zip(
            (it for it in self._latter(ids) if it.only is None), self._sources, strict=True
        ):
            stack = known.get(source.name)
            if stack is None:
                continue
            opened = open_stack(
                plan, PlannedRegion("", self._region), Exports(), several=self._several
            )
            for name, physical in stack.physical_ids.items():
                body = source.template.resources.get(name)
                if body and name not in ids[source.name] and body["Type"] in KINDS:
                    yield physical, opened.get_id(name)

    def _record(
        self, before: _Build, build: _Build, ids: Mapping[str | None, Mapping[str, str]]
    ) -> RecordedRegion:
        at = self._base.observed_at if self._base else self._settings.observed_at
        if self._base is None:
            return record_alone(build.region, at, self._managed)
        zones = dict(_list_zones(self._base.rows, before.region.rows))
        planned = {name: rename_ids(it, zones) for name, it in build.region.rows.items()}
        former = {name: rename_ids(it, zones) for name, it in before.region.rows.items()}
        rows = apply_difference(self._base.rows, former, planned)
        stays = {physical for each in ids.values() for physical in each.values()}
        left = {
            stack.physical_ids[name]
            for stack in build.stacks
            for name in stack.only or ()
            if name in stack.physical_ids
        }
        drop_targets(rows, self._managed - stays - left)
        build.region.rows.update(rows)
        missing = leave_out(build.region.rows, self._base.rows)
        return build.region.record(at, (*self._base.missing, *missing))

    def _record_before(self, region: PlannedRegion, renamed: Mapping[str, str]) -> RecordedRegion:
        found = self._base or record_alone(region, self._settings.observed_at, self._managed)
        rows = {name: rename_ids(listed, renamed) for name, listed in found.rows.items()}
        missing = [replace(each, of=renamed.get(each.of, each.of)) for each in found.missing]
        return replace(found, rows=rows, missing=missing)

    def _note(self, build: _Build) -> Iterator[str]:
        yield from list_notes([it for it in build.stacks if it.only is None])
        yield from list_stand_ins(build.region)
        yield from dict.fromkeys(
            f"{why}." for reasons in build.region.unknown.values() for why in reasons.values()
        )
        if self._account is None:
            yield (
                "The account is not known: what names accounts is not evaluated. Give --account."
            )


@dataclass(frozen=True, slots=True)
class _Build:
    region: PlannedRegion
    stacks: Sequence[PlannedStack]


def _list_zones(
    base: Mapping[str, Sequence[Mapping[str, Any]]], former: Mapping[str, Sequence[Row]]
) -> Iterator[tuple[str, str]]:
    """List the zones that symbols stand for, as subnets that exist show."""
    known = {row["SubnetId"]: row.get("AvailabilityZone") for row in base.get(SUBNETS, ())}
    for row in former.get(SUBNETS, ()):
        symbol, zone = str(row.get("AvailabilityZone", "")), known.get(row["SubnetId"])
        if zone and symbol != zone:
            yield symbol, str(zone)


def _list_left(stack: DeployedStack, new: Any, kept: Mapping[str, str]) -> Iterator[str]:
    """List the resources that a deployment removes from the stack and does not delete.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    """
    for name, body in stack.template.resources.items():
        policy = "UpdateReplacePolicy" if name in new.resources else "DeletionPolicy"
        if name not in kept and name in stack.physical_ids and body.get(policy) in RETAINED:
            yield name
