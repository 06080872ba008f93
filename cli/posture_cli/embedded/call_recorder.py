"""A trail: every EC2 call that could change something becomes an event, as in an AWS account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.model import OperationModel

from posture_cli.embedded.cloudtrail import ApiCall, ApiCaller, Json, build_record

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

PARAMETERS = "posture-parameters"  # where botocore's context of a call keeps what was asked


class CallRecorder:
    """Derives a record from each mutating call of the clients it follows and hands it on."""

    def __init__(self, deliver: Callable[[Json], None]) -> None:
        self._deliver = deliver

    def attach(self, client: EC2Client, caller: ApiCaller) -> None:
        """Record what this client does from now on, as done by the caller."""

        def remember(params: Json, context: Json, **_: Any) -> None:
            context[PARAMETERS] = dict(params)

        def write(model: OperationModel, parsed: Json, context: Json, **_: Any) -> None:
            call = ApiCall(
                model,
                context[PARAMETERS],
                parsed,
                caller,
                client.meta.region_name,
                datetime.now(UTC),
            )
            if call.mutates:
                self._deliver(build_record(call))

        # Last, after botocore's own handlers have completed the parameters.
        client.meta.events.register_last("before-parameter-build.ec2", remember)
        client.meta.events.register_last("after-call.ec2", write)
