"""Makes the calls of a remediation by boto3, one after the other, and stops at the first failure.

A call that EC2 refuses has no effect. Where the connection fails, whether the call took effect is
not known, and the message says so.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from posture.edits.created import CREATED, rename_symbols
from posture.edits.edit import Edit
from posture.edits.format import format_calls, name_operation
from posture.edits.operations import find_service
from posture.edits.parameters import build_parameters
from posture_cli.failure import CommandError, describe_failure

# A new resource may not be known everywhere yet. EC2 recommends to wait and repeat.
# https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
PAUSES = (1, 2, 4, 8)
SERVER_ERROR = 500  # the first HTTP status of those


@dataclass(frozen=True, slots=True)
class Call:
    """One call as boto3 makes it; `creates` is the symbol of what it creates, or ""."""

    operation: str
    parameters: Mapping[str, Any]
    creates: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made; `created` is the id of what it created, or ""."""

    operation: str
    created: str = ""

    def __str__(self) -> str:
        return f"{self.operation} ({self.created})" if self.created else self.operation


class CallFailedError(CommandError):
    """A call failed.

    Attributes:
        made: The calls before it, which took effect.
        failed: Its operation.
        left: The commands that remain, that call first.
    """

    def __init__(
        self, message: str, made: Sequence[Made], failed: str, left: Sequence[str]
    ) -> None:
        super().__init__(message)
        self.made = tuple(made)
        self.failed = failed
        self.left = tuple(left)


class _RefusedError(Exception):
    """EC2 answered that a call did not take effect."""


def list_calls(edits: Sequence[Edit]) -> list[Call]:
    """List the calls of edits, with symbols for the ids of what they create."""
    symbols = _name_symbols(edits)
    return [
        Call(type(edit).__name__, build_parameters(edit), symbol)
        for edit, symbol in zip(edits, symbols, strict=True)
    ]


def make_calls(
    open_client: Callable[[str], Any],
    edits: Sequence[Edit],
    begin: Callable[[str], object] = lambda _: None,
) -> list[Made]:
    """Make the calls of edits in their order.

    Args:
        open_client: Opens the client of a service, of the account and Region of the network.
        edits: The edits.
        begin: Is called with the operation before each call.

    Returns:
        The calls that were made, all of them.

    Raises:
        CallFailedError: A call failed; none was made after it.
    """
    ids: dict[str, str] = {}
    made: list[Made] = []
    rest = list(edits)
    for number, symbol in enumerate(_name_symbols(edits)):
        edit = rest[number]
        operation = name_operation(type(edit))
        begin(operation)
        try:
            client = open_client(find_service(type(edit)))
            answer = _make(client, edit, frozenset(ids.values()))
        except (ClientError, _RefusedError, BotoCoreError) as error:
            left = format_calls(rest, open_client("ec2").meta.region_name)[number:]
            raise _describe(error, edit, made, left) from error
        created = _read_id(answer, edit) if symbol else ""
        if created:
            ids[symbol] = created
            rest = [rename_symbols(each, ids) for each in rest]
        made.append(Made(operation, created))
    return made


def _read_id(answer: Mapping[str, Any], edit: Edit) -> str:
    """Return the id of what a call created, from where the operation's output has it."""
    return str(jmespath.search(CREATED[type(edit)].query, answer))


def _name_symbols(edits: Sequence[Edit]) -> Iterator[str]:
    """Yield the symbol of what each edit creates, such as `sg-new-1`; "" if none is created."""
    count: dict[str, int] = {}
    for each in edits:
        what = CREATED.get(type(each))
        if what:
            count[what.prefix] = count.get(what.prefix, 0) + 1
        yield f"{what.prefix}-new-{count[what.prefix]}" if what else ""


def _make(client: Any, edit: Edit, new: frozenset[str]) -> Mapping[str, Any]:
    """Make one call; repeat it while EC2 does not know yet what was just created."""
    parameters = build_parameters(edit)
    operation = type(edit).__name__
    members = client.meta.service_model.operation_model(operation).input_shape.members
    if "ClientToken" in members:  # botocore's own retries then create nothing twice
        parameters["ClientToken"] = str(uuid.uuid4())
    call = getattr(client, xform_name(operation))
    for pause in (*PAUSES, 0):
        try:
            answer: Mapping[str, Any] = call(**parameters)
            _check(answer)
        except ClientError as error:
            if not pause or not _is_too_new(error, new):
                raise
            time.sleep(pause)
        else:
            return answer
    raise AssertionError  # pragma: no cover - the last round raises


def _is_too_new(error: ClientError, new: frozenset[str]) -> bool:
    """Return whether EC2 does not find what an earlier call of this run created."""
    found = error.response["Error"]
    named = set(re.findall(r"[a-z-]+-[0-9a-f]{8,17}", found.get("Message", "")))
    return found["Code"].endswith(".NotFound") and bool(named & new)


def _check(answer: Mapping[str, Any]) -> None:
    """Raise what an answer reports as not done, which is no error of the call."""
    failed = answer.get("Unsuccessful") or ()
    if failed:
        raise _RefusedError(
            "; ".join(
                f"{each.get('ResourceId', '')}: {each.get('Error', {}).get('Code', '')}: "
                f"{each.get('Error', {}).get('Message', '')}"
                for each in failed
            )
        )
    if answer.get("UnknownIpPermissions"):
        raise _RefusedError("some of the rules do not exist, and were not revoked")
    if answer.get("Return", answer.get("ReturnValue", True)) is False:
        raise _RefusedError("EC2 returned false")


def _describe(
    error: Exception, edit: Edit, made: Sequence[Made], left: Sequence[str]
) -> CallFailedError:
    operation = name_operation(type(edit))
    who = "EC2" if find_service(type(edit)) == "ec2" else "AWS"
    reason = describe_failure(error) if isinstance(error, BotoCoreError) else _explain(error)
    if _is_uncertain(error):
        what = f"whether {operation} took effect is not known ({reason})"
    elif isinstance(error, BotoCoreError):
        what = f"{operation} was not sent ({reason})"
    else:
        what = f"{who} refused {operation} ({reason})"
    before = (
        f"made before it: {', '.join(map(str, made))}" if made else "nothing was made before it"
    )
    again = "; run posture fix again to continue" if made else ""
    text = f"{what}; {before}; remaining: {' && '.join(left)}{again}"
    return CallFailedError(text, made, operation, left)


def _is_uncertain(error: Exception) -> bool:
    """Return whether a call may have taken effect: no answer came, or one about EC2's own fault."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= SERVER_ERROR
    return isinstance(error, HTTPClientError)


def _explain(error: Exception) -> str:
    if not isinstance(error, ClientError):
        return str(error)
    found = error.response["Error"]
    return f"{found['Code']}: {found['Message']}"
