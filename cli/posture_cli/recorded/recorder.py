"""Records the rows that an EC2 client receives, so that they can be saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from posture.ec2.errors import (
    NOT_RECORDED,
    MalformedAnswerError,
    check_answer,
    describe_denial,
    describe_failed_call,
    get_error_code,
)
from posture.model.scope import Region
from posture_cli.recorded.client import keep_parameters
from posture_cli.recorded.operations import OPERATIONS, Operation, name_attribute
from posture_cli.recorded.region import MissingRows, RecordedRegion, Row
from posture_cli.recorded.rows import merge_rows

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


class Recorder:
    """What an EC2 client receives from now on: the rows, and the errors that are no failure.

    It uses botocore's events `after-call` and `after-call-error`, as the answers of a recorded
    region use `before-call`.
    """

    def __init__(self, ec2: EC2Client) -> None:
        self._lock = Lock()
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._missing: dict[tuple[str, str], MissingRows] = {}
        events = ec2.meta.events
        events.register("before-parameter-build.ec2", keep_parameters)
        events.register("after-call.ec2", self._record)
        events.register("after-call-error.ec2", self._record_error)

    def build_region(self, region: Region, observed_at: datetime) -> RecordedRegion:
        """Build the recorded region of what was received."""
        return RecordedRegion(
            account=region.account,
            region=region.name,
            observed_at=observed_at,
            rows={name: merge_rows(name, rows) for name, rows in sorted(self._rows.items())},
            missing=tuple(self._missing[each] for each in sorted(self._missing)),
        )

    def _record(
        self, http_response: Any, parsed: Row, model: Any, context: Mapping[str, Any], **_: Any
    ) -> None:
        operation = OPERATIONS.get(model.name)
        if not operation:
            return
        parameters = context["parameters"]
        other = next(iter(parameters.get("ServiceRegions", ())), "")
        key = parameters.get(operation.key, other)
        if http_response.status_code >= 300:  # noqa: PLR2004 - as botocore decides
            error = ClientError(parsed, model.name)  # type: ignore[arg-type]
            self._miss(model.name, key, error)
            return
        member = operation.member or name_attribute(parameters["Attribute"])
        try:
            check_answer(parsed, model.name, member)
        except MalformedAnswerError as error:
            self._miss(model.name, key, error)
            return
        answer = {name: each for name, each in parsed.items() if name != "ResponseMetadata"}
        with self._lock:
            rows = self._rows[model.name]
            if other:
                rows += ({"ServiceRegion": other, **row} for row in answer[operation.member])
            elif not operation.key:
                rows += answer.get(operation.member, ())
            else:
                former = rows if "NextToken" in parameters else ()
                rows.append(_join(former, operation, key, answer))

    def _record_error(
        self, exception: Exception, event_name: str, context: Mapping[str, Any], **_: Any
    ) -> None:
        """Record a call that has no answer: EC2 cannot be reached, or its answer not be parsed."""
        name = event_name.rpartition(".")[2]
        if operation := OPERATIONS.get(name):
            key = context.get("parameters", {}).get(operation.key, "")
            self._miss(name, "" if isinstance(exception, NotImplementedError) else key, exception)

    def _miss(self, name: str, key: str, error: Exception) -> None:
        """Record why rows are missing; AWS's own code is kept only if it is an answer."""
        failed = describe_failed_call(error, name)
        code = NOT_RECORDED
        if isinstance(error, NotImplementedError):
            code = "NotImplemented"
        elif isinstance(error, ClientError) and not failed:
            code = get_error_code(error)
        reason = failed or describe_denial(error, name) or str(error)
        with self._lock:
            self._rows.setdefault(name, [])
            self._missing[name, key] = MissingRows(name, reason, key, code)


def _join(former: Sequence[Row], operation: Operation, key: str, answer: Row) -> Row:
    """Return the answer about one id as a row, with the rows of its earlier pages."""
    rest = {name: each for name, each in answer.items() if name != "NextToken"}
    if not operation.member:
        return {operation.id: key, **rest}
    earlier = next((row for row in reversed(former) if row[operation.id] == key), {})
    member = operation.member
    return {operation.id: key, member: [*earlier.get(member, ()), *rest.get(member, ())]}
