"""Reads what `aws ec2 describe-*` wrote: any number of files, recognised by their top-level key.

What no file holds is missing, and missing by name: nothing is concluded from its absence.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from botocore import xform_name

from posture.lean_dataclass import dataclass
from posture.model.endpoint_service import ServiceFacet
from posture.model.network import Facet
from posture_cli.console import print_note
from posture_cli.failure import CommandError
from posture_cli.recorded.offline import load_ec2_model
from posture_cli.recorded.operations import DNS_MEMBERS, OPERATIONS
from posture_cli.recorded.region import MissingRows, RecordedRegion, Row
from posture_cli.recorded.rows import describe, merge_rows, parse_row, parse_rows

BY_MEMBER = {each.member: name for name, each in OPERATIONS.items() if each.member}
# Their owner is another account, or they have none.
NOT_OWN = frozenset(
    {
        Facet.SERVICES.value,
        Facet.AWS_PREFIX_LISTS.value,
        Facet.NETWORK_INTERFACES.value,
        Facet.VPC.value,  # shared by other accounts, as are their subnets, route tables and ACLs
        Facet.SUBNETS.value,
        Facet.ROUTE_TABLES.value,
        Facet.NETWORK_ACLS.value,
        ServiceFacet.CONNECTIONS.value,
    }
)
REGION = re.compile(r"(?<![a-z0-9-])[a-z]{2,4}(?:-[a-z]+)+-\d+")
LIST_ID = re.compile(r"pl-[0-9a-f]+")
SERVICE_ID = re.compile(r"vpce-svc-[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class DescribeFile:
    """One file with the answer of an operation that an observer reads."""

    path: Path
    operation: str
    rows: list[Row]


def parse_describe_files(
    documents: Mapping[Path, Any], place: Path, account: str | None, region: str | None
) -> RecordedRegion:
    """Build the region that files with EC2's answers hold.

    Args:
        documents: The content of each file, as `json.loads` returns it.
        place: The folder, or the only file.
        account: The account, if the rows do not say it.
        region: The region, as well.

    Raises:
        CommandError: A file is not what it should be, or account or region cannot be decided.
    """
    files = [each for path, it in sorted(documents.items()) if (each := _recognise(path, it))]
    if not files:
        raise CommandError(f"{place}: expected output of aws ec2 describe-vpcs and others, as JSON")
    rows: dict[str, list[Row]] = defaultdict(list)
    for file in files:
        rows[file.operation] += file.rows
    merged = {name: merge_rows(name, each) for name, each in rows.items()}
    own = account or _decide_account(files, place)
    return RecordedRegion(
        account=own,
        region=region or _decide_region(files, place),
        observed_at=max(_get_time(each.path) for each in files),
        rows=merged,
        missing=tuple(_find_missing(merged, own, place)),
    )


def _recognise(path: Path, document: Any) -> DescribeFile | None:
    """Recognise a file by its top-level key; None for an answer that no observer reads."""
    expected = "expected the output of an aws ec2 describe command"
    if not isinstance(document, dict):
        hint = "; was --query used?" if isinstance(document, list) else ""
        raise CommandError(f"{path}: {expected}, an object, found {describe(document)}{hint}")
    if document.get("NextToken"):
        raise CommandError(
            f"{path}: NextToken: a page is missing; {expected} with all pages, "
            "without --max-items and --no-paginate"
        )
    if any(name in document for name in DNS_MEMBERS):
        name = Facet.DNS_ATTRIBUTES.value
        return DescribeFile(path, name, [parse_row(name, document, f"{path}: answer")])
    member = next((each for each in document if each in BY_MEMBER), "")
    if not member:
        known = next((each for each in document if each in _list_members()), "")
        if not known:
            keys = ", ".join(sorted(map(str, document))[:3])
            raise CommandError(f"{path}: {expected}, found an object with {keys or 'nothing'}")
        print_note(f"{path}: {known} are not needed and were ignored")
        return None
    name = BY_MEMBER[member]
    found = document[member]
    if name == Facet.AWS_PREFIX_LISTS and _are_managed_lists(found):
        print_note(f"{path}: expected describe-prefix-lists; managed prefix lists were ignored")
        return None
    if OPERATIONS[name].key:
        return _recognise_answer(path, name, document)
    return DescribeFile(path, name, parse_rows(name, found, f"{path}: {member}"))


def _recognise_answer(path: Path, name: str, document: dict[str, Any]) -> DescribeFile:
    """Recognise an answer about one id, which the AWS CLI does not write into it."""
    known = OPERATIONS[name]
    pattern = LIST_ID if name == Facet.PREFIX_LISTS else SERVICE_ID
    rows = document[known.member]
    stated = {each.get(known.id) for each in rows if isinstance(each, dict)} - {None}
    in_name = pattern.search(path.name)
    if len(stated) == 1:
        (found,) = stated
    elif in_name:
        found = in_name.group()
    else:
        command = _name_command(name)
        raise CommandError(
            f"{path}: the output of {command} does not say what it is of; expected the id in the "
            f"name of the file, as in {'pl' if pattern is LIST_ID else 'vpce-svc'}-0123abcd.json"
        )
    row = {known.id: found, known.member: rows}
    return DescribeFile(path, name, [parse_row(name, row, f"{path}: answer")])


def _are_managed_lists(rows: Any) -> bool:
    """Whether rows are those of describe-managed-prefix-lists, which has the same key."""
    return not rows or any(isinstance(each, dict) and "PrefixListArn" in each for each in rows)


@lru_cache(maxsize=1)
def _list_members() -> frozenset[str]:
    """List the top-level keys of EC2's answers to Describe and Get operations."""
    model = load_ec2_model()
    shapes = (
        model.operation_model(name).output_shape
        for name in model.operation_names
        if name.startswith(("Describe", "Get"))
    )
    return frozenset(member for shape in shapes if shape for member in shape.members)


def _decide_account(files: Iterable[DescribeFile], place: Path) -> str:
    """Decide the account: the owner of its own resources, or else of everything."""
    for operations in (OPERATIONS.keys() - NOT_OWN, {Facet.VPC.value}):
        owners = {
            str(row["OwnerId"]): each.path
            for each in files
            if each.operation in operations
            for row in each.rows
            if row.get("OwnerId")
        }
        if len(owners) == 1:
            return next(iter(owners))
        if owners:
            break
    found = ", ".join(f"{owner} in {path}" for owner, path in sorted(owners.items()))
    raise CommandError(
        f"{place}: expected resources of one account, found {found or 'no owner'}; use --account"
    )


def _decide_region(files: Iterable[DescribeFile], place: Path) -> str:
    """Decide the region by Availability Zones and ARNs."""
    found = {region: each.path for each in files for region in _find_regions(each)}
    if len(found) == 1:
        return next(iter(found))
    said = ", ".join(f"{region} in {path}" for region, path in sorted(found.items()))
    said = said or "no Availability Zone or ARN"
    raise CommandError(f"{place}: expected resources of one Region, found {said}; use --region")


def _find_regions(file: DescribeFile) -> Iterator[str]:
    if file.operation in {Facet.SERVICES, ServiceFacet.CONNECTIONS}:
        return
    for row in file.rows:
        zones = [row.get("AvailabilityZone", ""), *row.get("AvailabilityZones", ())]
        yield from (found.group() for zone in zones if (found := REGION.match(str(zone))))
        for name, value in row.items():
            parts = str(value).split(":")
            if name.endswith("Arn") and value and parts[0] == "arn" and parts[2:3] == ["ec2"]:
                yield parts[3]


def _get_time(path: Path) -> datetime:
    """Get the time of a file, as its content says none."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _name_command(operation: str) -> str:
    return f"aws ec2 {xform_name(operation, '-')}"


def _find_missing(
    rows: Mapping[str, Sequence[Row]], account: str, place: Path
) -> Iterator[MissingRows]:
    """Find what no file holds: whole operations, and rows of a VPC that others refer to.

    An output that was filtered looks like an empty network. Every VPC has a main route table, a
    default network ACL and a default security group, and every subnet has a network ACL. A VPC that
    another account shares does not show them.
    """
    for name in OPERATIONS:
        if name not in rows:
            yield MissingRows(name, f"{place} holds no output of {_name_command(name)}")
    own = [
        each["VpcId"] for each in rows.get(Facet.VPC, ()) if each.get("OwnerId", account) == account
    ]
    by_vpc = {
        name: _group_by_vpc(rows[name])
        for name in (*ALWAYS_THERE, Facet.SUBNETS, Facet.ENDPOINTS, Facet.NAT_GATEWAYS)
        if name in rows
    }
    for vpc in own:
        for name, is_there in ALWAYS_THERE.items():
            if name in rows and not any(map(is_there, by_vpc[name].get(vpc, ()))):
                yield _miss(name, vpc, place)
        for name, named in _find_named_ids(by_vpc, vpc).items():
            known = {row[OPERATIONS[name].id] for row in by_vpc.get(name, {}).get(vpc, ())}
            if name in rows and named - known:
                yield _miss(name, vpc, place)


def _has_main(row: Row) -> bool:
    return any(each.get("Main") for each in row.get("Associations", ()))


ALWAYS_THERE: Mapping[str, Callable[[Row], bool]] = {
    Facet.ROUTE_TABLES.value: _has_main,
    Facet.NETWORK_ACLS.value: lambda row: bool(row.get("IsDefault")),
    Facet.SECURITY_GROUPS.value: lambda row: row.get("GroupName") == "default",
}


def _group_by_vpc(rows: Iterable[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.get("VpcId", "")].append(row)
    return grouped


def _find_named_ids(
    by_vpc: Mapping[str, Mapping[str, Sequence[Row]]], vpc: str
) -> dict[str, set[str]]:
    """Find the ids that route tables and network ACLs name, by the operation that lists them."""
    tables = by_vpc.get(Facet.ROUTE_TABLES, {}).get(vpc, ())
    acls = by_vpc.get(Facet.NETWORK_ACLS, {}).get(vpc, ())
    associations = [each for row in (*tables, *acls) for each in row.get("Associations", ())]
    routes = [
        each for row in tables for each in row.get("Routes", ()) if each.get("State") == "active"
    ]
    targets = {str(each.get("GatewayId", "")) for each in routes}
    return {
        Facet.SUBNETS.value: {str(each.get("SubnetId", "")) for each in associations} - {""},
        Facet.ENDPOINTS.value: {each for each in targets if each.startswith("vpce-")},
        Facet.NAT_GATEWAYS.value: {str(each.get("NatGatewayId", "")) for each in routes} - {""},
    }


def _miss(name: str, vpc: str, place: Path) -> MissingRows:
    reason = f"{place} holds only a part of the output of {_name_command(name)} for {vpc}"
    return MissingRows(name, reason, vpc)
