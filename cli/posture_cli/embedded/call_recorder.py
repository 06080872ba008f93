"""CloudTrail for a boto3 client: each call that can change something becomes a record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.model import OperationModel

from posture_cli.embedded.cloudtrail import ApiCall, ApiCaller, JsonObject, build_record

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

PARAMETERS = "posture-parameters"  # the key under which a call's context keeps its parameters


def record_calls(
    client: EC2Client, caller: ApiCaller, deliver: Callable[[JsonObject], None]
) -> None:
    """Record every mutating call that a client makes from now on, failed calls included.

    Args:
        client: The client to observe.
        caller: The principal that the records name.
        deliver: Receives each CloudTrail record right after its call.
    """

    def remember(params: JsonObject, context: JsonObject, **_: Any) -> None:
        context[PARAMETERS] = dict(params)

    def write(model: OperationModel, parsed: JsonObject, context: JsonObject, **_: Any) -> None:
        region, now = client.meta.region_name, datetime.now(UTC)
        call = ApiCall(model, context[PARAMETERS], parsed, caller, region, now)
        if call.mutates:
            deliver(build_record(call))

    # Last, after botocore's own handlers have completed the parameters.
    client.meta.events.register_last("before-parameter-build.ec2", remember)
    client.meta.events.register_last("after-call.ec2", write)
