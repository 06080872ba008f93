"""An EC2 client that answers from a recorded region: no credentials, no network.

It is botocore's own client. Its event `before-call` lets a handler answer in place of the network:
https://github.com/boto/botocore/blob/develop/botocore/client.py (`_make_api_call`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from posture.ec2.errors import NOT_RECORDED
from posture.model.network import Facet
from posture_cli.recorded.offline import open_session
from posture_cli.recorded.operations import OPERATIONS, Operation, name_attribute
from posture_cli.recorded.region import MissingRows, RecordedRegion, Row

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

FILTERS = ("Filters", "Filter")  # of DescribeNatGateways, the latter
PAGING = frozenset({"MaxResults", "NextToken"})  # every answer is one page
ANSWERED = {*FILTERS, *PAGING, "IncludeManagedResources", "Attribute", "ServiceRegions"}
OK = SimpleNamespace(status_code=200)


def open_client(recorded: RecordedRegion) -> EC2Client:
    """Open an EC2 client that answers an observer's calls from a recorded region.

    Rows that are missing are answered with an error that `posture.ec2` takes for a denied one: what
    depends on them is unknown.
    """
    client = open_session().create_client("ec2", recorded.region)
    answers = _Answers(recorded)
    client.meta.events.register("before-parameter-build.ec2", keep_parameters)
    client.meta.events.register("before-call.ec2", cast("Any", answers.answer))
    return cast("EC2Client", client)


def keep_parameters(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Keep the parameters of a call for the handlers of its later events."""
    context["parameters"] = params


class _Answers:
    """The answers of one recorded region."""

    def __init__(self, recorded: RecordedRegion) -> None:
        self._recorded = recorded
        self._keyed = {
            (name, row.get(operation.key)): row
            for name, operation in OPERATIONS.items()
            if operation.key
            for row in recorded.rows.get(name, ())
        }

    def answer(self, model: Any, context: Mapping[str, Any], **_: Any) -> tuple[Any, Row]:
        """Answer a call, as the event `before-call` takes it.

        Raises:
            ClientError: The rows are missing.
            NotImplementedError: A recorded region does not answer such a call.
        """
        name, parameters = model.name, context["parameters"]
        operation = OPERATIONS.get(name)
        if not operation or parameters.keys() - ANSWERED - {operation.key}:
            given = ", ".join(sorted(parameters))
            raise NotImplementedError(f"{name} with {given or 'no parameter'}")
        if operation.key:
            return OK, self._answer_one(name, operation, parameters)
        return OK, {operation.member: self._select(name, operation, parameters)}

    def _answer_one(self, name: str, operation: Operation, parameters: Mapping[str, Any]) -> Row:
        """Answer an operation about one id."""
        asked = parameters[operation.key]
        row = self._keyed.get((name, asked))
        gaps = [each for each in self._gaps(name) if each.of == asked or (not each.of and not row)]
        if gaps:
            raise _fail(gaps[0])
        attribute = parameters.get("Attribute", "")
        member = name_attribute(attribute) if attribute else operation.member
        if row is None or member not in row:
            what = " ".join(filter(None, (attribute, "of", asked)))
            raise _fail(MissingRows(name, f"{name} {what} was not recorded"))
        return row

    def _select(self, name: str, operation: Operation, parameters: Mapping[str, Any]) -> list[Row]:
        """Select the rows that a call asks for."""
        filters = [each for member in FILTERS for each in parameters.get(member, ())]
        rows = [
            row
            for row in self._recorded.rows.get(name, ())
            if all(_matches(row, each["Name"], each["Values"]) for each in filters)
        ]
        if name == Facet.SERVICES:
            return self._select_services(rows, parameters.get("ServiceRegions"))
        for gap in self._gaps(name):
            if _concerns(gap, filters, rows, operation):
                raise _fail(gap)
        return rows

    def _select_services(self, rows: Sequence[Row], others: Sequence[str] | None) -> list[Row]:
        """Select the services of the region, or of others that offer them to it."""
        name, own = Facet.SERVICES.value, self._recorded.region
        wanted = set(others or [own])
        selected = [row for row in rows if row.get("ServiceRegion", own) in wanted]
        for gap in self._gaps(name):
            if gap.of in wanted or (not gap.of and not others):
                raise _fail(gap)
        if others and not selected:
            where = ", ".join(others)
            raise _fail(MissingRows(name, f"the services of {where} were not recorded"))
        return selected

    def _gaps(self, name: str) -> Iterator[MissingRows]:
        """List what is missing of an operation."""
        yield from (each for each in self._recorded.missing if each.operation == name)
        if name not in self._recorded.rows:
            yield MissingRows(name, f"{name} was not recorded")


def _concerns(
    gap: MissingRows, filters: Sequence[Row], rows: Sequence[Row], operation: Operation
) -> bool:
    """Whether rows that are missing could belong into an answer.

    They could not if the call asks for other VPCs, or if everything that it asks for was found.
    """
    wanted = {each["Name"]: set(each["Values"]) for each in filters}
    if gap.of and operation.id == "VpcId" and any(row["VpcId"] == gap.of for row in rows):
        return "vpc-id" in wanted  # a list of all VPCs only needs their ids
    if gap.of and "vpc-id" in wanted:
        return gap.of in wanted["vpc-id"]
    ids = next((values for name, values in wanted.items() if _member(name) == operation.id), None)
    return ids is None or not ids <= {row.get(operation.id) for row in rows}


def _matches(row: Row, name: str, values: Sequence[str]) -> bool:
    """Whether a row has one of a filter's values, which may hold * and ?, as EC2 filters."""
    found = {str(each) for each in _find(row, [_member(part) for part in name.split(".")])}
    if found.intersection(values):
        return True
    patterns = [each for each in values if "*" in each or "?" in each]
    return any(fnmatchcase(each, pattern) for each in found for pattern in patterns)


def _member(name: str) -> str:
    """Return the member that a filter names: VpcId for vpc-id."""
    return "".join(part.capitalize() for part in name.split("-"))


def _find(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _find(each, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _find(value[path[0]], path[1:])


def _fail(gap: MissingRows) -> ClientError:
    message = gap.reason if gap.code == NOT_RECORDED else ""
    return ClientError({"Error": {"Code": gap.code, "Message": message}}, gap.operation)
