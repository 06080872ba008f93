"""Turns a Terraform plan into the rows of its Regions before and after it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, combinations, islice

from posture.model.service_names import short_name
from posture_cli.plan.alone import record_alone, start_region
from posture_cli.plan.existing import complete_existing
from posture_cli.plan.ipv6_blocks import check_stand_ins, list_stand_ins
from posture_cli.plan.overlay import (
    apply_difference,
    drop_targets,
    leave_out,
    rename_ids,
    strip_rows,
)
from posture_cli.plan.planned import PlannedChange
from posture_cli.plan.possible import is_possible
from posture_cli.plan.resources import endpoints
from posture_cli.plan.rows import PlannedRegion
from posture_cli.plan.terraform_endpoints import read_catalogue
from posture_cli.plan.terraform_ids import find_own_kind
from posture_cli.plan.terraform_mapping import add_instances, is_unknown_type
from posture_cli.plan.terraform_plan import Instance, TerraformPlan
from posture_cli.plan.terraform_regions import ProviderRegion, find_regions
from posture_cli.plan.terraform_resolver import Choice, Resolver
from posture_cli.plan.unassigned import assign
from posture_cli.plan.values import make_symbol
from posture_cli.recorded.region import MissingRows, RecordedRegion

ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
READINGS = 200  # at most; a plan with more is left unknown as a whole


@dataclass(frozen=True, slots=True)
class _Build:
    """The rows of one reading of a plan, and what turned out while they were built."""

    region: PlannedRegion
    resolver: Resolver
    choices: Mapping[str, Choice]


def plan_terraform(  # noqa: PLR0913 - what the command is given
    plan: TerraformPlan,
    file: str,
    *,
    observed_at: datetime,
    bases: Sequence[RecordedRegion] = (),
    region: str | None = None,
    account: str | None = None,
) -> list[PlannedChange]:
    """Return the Regions of a plan before and after it.

    Args:
        plan: The plan.
        file: Its name, for errors.
        observed_at: The time of rows that were not read before.
        bases: Regions as they are, over which the plan is laid.
        region: The Region of resources whose provider does not name one.
        account: The account, if the plan does not name it.

    Raises:
        CommandError: A Region is not known.
    """
    parts = find_regions(plan, file, region=region, account=account)
    changes = []
    for at, part in parts.items():
        base = next(
            (
                each
                for each in bases
                if each.region == at.region and at.account in ("", each.account)
            ),
            None,
        )
        named = replace(at, account=base.account) if base else at
        changes.append(_RegionPlanner(part, named, observed_at, base).plan())
    return changes


def list_regions(plan: TerraformPlan, file: str, *, region: str | None = None) -> list[str]:
    """List the Regions of a plan.

    Raises:
        CommandError: A Region is not known.
    """
    return sorted({each.region for each in find_regions(plan, file, region=region, account=None)})


class _RegionPlanner:
    """Plans one Region of one account."""

    def __init__(
        self,
        plan: TerraformPlan,
        at: ProviderRegion,
        observed_at: datetime,
        base: RecordedRegion | None,
    ) -> None:
        self._plan = plan
        self._at = at
        self._observed_at = base.observed_at if base else observed_at
        self._base = base
        self._managed = {
            value for each in plan.before if each.mode == "managed" and (value := _known_id(each))
        }

    def plan(self) -> PlannedChange:
        """Return the Region before the plan, and after it in each reading."""
        before = self._build(self._plan.before, {}, before=True)
        first = self._build(self._plan.after, {})
        readings = list(islice(_list_readings(first.choices), READINGS))
        renamed = dict(self._list_replaced())
        missing = tuple(self._base.missing) if self._base else ()
        after, choices = [self._record(before, first, missing)], []
        refused: list[Mapping[str, int]] = []
        for reading in chain(readings[1:], _combine(refused)):
            build = self._build(self._plan.after, reading)
            if is_possible(build.region):
                after.append(self._record(before, build, missing))
                choices.append(" ".join(first.choices[key].text for key in reading))
            elif len(reading) == 1:
                refused.append(reading)
        notes = [*self._plan.notes, *self._note(first)]
        if len(readings) == READINGS:
            notes.append(
                f"The plan can be read in {READINGS} ways or more, of which {READINGS} were "
                "compared: an answer may depend on the others. Split the plan."
            )
        return PlannedChange(
            before=self._record_before(before, renamed),
            after=tuple(after),
            notes=tuple(notes),
            choices=tuple(choices),
        )

    def _build(
        self, instances: Sequence[Instance], reading: Mapping[str, int], *, before: bool = False
    ) -> _Build:
        base = self._base
        rows = strip_rows(base.rows, self._managed) if base else None
        region = start_region(self._at.account, self._at.region, rows)
        if not base:
            self._add_catalogue(region)
        resolver = Resolver(self._plan, reading)
        changed = self._plan.changed
        removed = () if before else [it for it in self._plan.before if it.address in changed]
        add_instances(region, resolver, instances, removed)
        if not self._base:
            complete_existing(region, instances)
        endpoints.complete_endpoints(region)
        _name_lists(region)
        check_stand_ins(region)
        if not (base or self._at.account_known):
            _leave_policies_unknown(region)
        choices = dict(resolver.choices)
        assign(region, reading, choices)
        return _Build(region, resolver, choices)

    def _add_catalogue(self, region: PlannedRegion) -> None:
        """Add the services and AWS-managed prefix lists that the plan knows."""
        for each in self._plan.after:
            if each.mode == "data" and each.type == "aws_vpc_endpoint_service":
                row = read_catalogue(each)
                known = row and region.find(
                    "DescribeVpcEndpointServices", "ServiceName", row["ServiceName"]
                )
                if row and not known:
                    region.rows["DescribeVpcEndpointServices"].append(row)
            if found := _read_list(each):
                name, list_id, cidrs = found
                listed = region.put(
                    "DescribePrefixLists", "PrefixListName", {"PrefixListName": name}
                )
                listed["PrefixListId"] = list_id
                if cidrs:
                    listed["Cidrs"] = cidrs

    def _record(
        self, before: _Build, build: _Build, missing: Sequence[MissingRows]
    ) -> RecordedRegion:
        if self._base is None:
            return record_alone(build.region, self._observed_at, self._managed)
        rows = apply_difference(self._base.rows, before.region.rows, build.region.rows)
        stays = {_known_id(each) for each in self._plan.after}
        drop_targets(rows, frozenset(self._managed - stays))
        build.region.rows.update(rows)
        return build.region.record(
            self._observed_at, (*missing, *leave_out(build.region.rows, self._base.rows))
        )

    def _record_before(self, before: _Build, renamed: Mapping[str, str]) -> RecordedRegion:
        found = self._base or record_alone(before.region, self._observed_at, self._managed)
        rows = {name: rename_ids(listed, renamed) for name, listed in found.rows.items()}
        missing = [replace(each, of=renamed.get(each.of, each.of)) for each in found.missing]
        return replace(found, rows=rows, missing=missing)

    def _list_replaced(self) -> Iterator[tuple[str, str]]:
        """List the ids of resources that are replaced, with the symbols that stand for the new."""
        resolver = Resolver(self._plan)
        was = {each.address: _known_id(each) for each in self._plan.before}
        for each in self._plan.after:
            if each.new and find_own_kind(each.mode, each.type) and (old := was.get(each.address)):
                yield old, resolver.own_id(each)

    def _note(self, build: _Build) -> Iterator[str]:
        yield from list_stand_ins(build.region)
        for name in build.resolver.unknown:
            yield f"{name} is known only after apply."
        for address, actions in self._plan.changed.items():
            type_ = _find_type(address)
            if is_unknown_type(type_):
                what = " and ".join(actions)
                yield f"{address} ({what}) is not evaluated: the type {type_} is not understood."
        for each in self._plan.after:
            if each.new and find_own_kind(each.mode, each.type) == "endpoint-service":
                yield f"{build.resolver.own_id(each)} stands for {each.address}."
        if not self._at.account_known and not self._base:
            yield (
                "The account is not in the plan: policies that name accounts are not evaluated. "
                "Give --account."
            )


def _leave_policies_unknown(region: PlannedRegion) -> None:
    """Drop policies that name an account: it may be the endpoint's own, which is not known."""
    for row in region.rows["DescribeVpcEndpoints"]:
        if ACCOUNT.search(row.get("PolicyDocument", "")):
            row.pop("PolicyDocument")


def _name_lists(region: PlannedRegion) -> None:
    """Replace the symbols of AWS-managed prefix lists whose ids are known."""
    names = {
        make_symbol("prefix-list", short_name(row["PrefixListName"])): row["PrefixListId"]
        for row in region.rows["DescribePrefixLists"]
    }
    for operation in ("DescribeRouteTables", "DescribeSecurityGroups"):
        region.rows[operation] = rename_ids(region.rows[operation], names)


def _known_id(instance: Instance) -> str:
    """Return the id that EC2 assigned; "" for a resource without one."""
    value = instance.values.get("id")
    kind = find_own_kind(instance.mode, instance.type)
    return value if kind and isinstance(value, str) else ""


def _find_type(address: str) -> str:
    steps = [each for each in address.split(".") if each]
    found = next((each for each in steps if each.startswith(("aws_", "awscc_"))), "")
    return found.partition("[")[0]


def _combine(refused: Sequence[Mapping[str, int]]) -> Iterator[Mapping[str, int]]:
    """Combine two choices that EC2 would refuse one by one: together they may be right."""
    pairs = ({**one, **other} for one, other in combinations(refused, 2))
    yield from islice((each for each in pairs if len(each) > 1), READINGS)


def _list_readings(choices: Mapping[str, Choice]) -> Iterator[Mapping[str, int]]:
    """List the readings: the most likely one, and those that differ from it in one choice."""
    yield {}
    for key, choice in choices.items():
        for option in range(1, choice.options):
            yield {key: option}


def _read_list(instance: Instance) -> tuple[str, str, list[str]] | None:
    """Read the name, the id and the entries of an AWS-managed prefix list that the plan knows."""
    values = instance.values
    if instance.mode == "data" and instance.type in {
        "aws_prefix_list",
        "aws_ec2_managed_prefix_list",
    }:
        name, list_id = values.get("name"), values.get("id")
    elif instance.type == "aws_vpc_endpoint" and values.get("vpc_endpoint_type") == "Gateway":
        name, list_id = values.get("service_name"), values.get("prefix_list_id")
    else:
        return None
    if not isinstance(name, str) or not name.startswith("com.amazonaws."):
        return None
    cidrs = values.get("cidr_blocks")
    known = isinstance(list_id, str) and list_id
    return (name, str(list_id), cidrs if isinstance(cidrs, list) else []) if known else None
