"""An EC2 client of which a call that fails is an answer that is missing.

What a command reads takes many calls. If one of them keeps failing (throttled, an error of the
server, a web page in place of an answer), what it would have said is unknown, and everything else
is evaluated. The functions do not use it: a failed call makes them retry the whole message.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader

import posture
from posture.ec2.errors import NOT_RECORDED, describe_failed_call
from posture.runtime.clients import CONFIG as OF_FUNCTIONS
from posture_cli.recorded.operations import OPERATIONS

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_ec2 import EC2Client

CONFIG = OF_FUNCTIONS.merge(
    Config(
        read_timeout=60,  # botocore's own: an answer may hold all resources of a large region
        # Two calls for each VPC are most of a scan, and each waits for a connection.
        max_pool_connections=20,
        retries={"mode": "adaptive", "total_max_attempts": 4},
        parameter_validation=False,  # a tenth of the time of each call
    )
)
MODELS = Path(posture.__file__).parent / "models"
FAILURES = 3  # of an operation, one after the other; then it is not asked again


def open_ec2(session: Session, region: str) -> EC2Client:
    """Open an EC2 client of a region whose reads raise NotRecorded instead of failing."""
    session.register(
        "creating-client-class.ec2", cast("Any", _derive_class), unique_id="partial-client"
    )
    models = session.get_component("data_loader")
    session.register_component("data_loader", _open_models(tuple(models.search_paths)))
    try:
        return cast("EC2Client", session.create_client("ec2", region, config=CONFIG))
    finally:
        session.register_component("data_loader", models)


@lru_cache(maxsize=1)
def _open_models(others: tuple[str, ...]) -> Loader:
    """Open the functions' model of EC2, which has all reads of an observer and no other operation.

    botocore's has 800 operations, and takes a tenth of a second to load.
    """
    return Loader([str(MODELS), *others])


class _PartialClient:
    """Replaces the errors of the reads of an observer; other calls raise what they raise.

    After some failures in a row an operation is not asked again, so that one that takes a call
    for each VPC does not wait for a thousand timeouts.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._failures: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._counting = Lock()

    def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
        call = getattr(super(), "_make_api_call")  # noqa: B009 - botocore's, of the next class
        if operation_name not in OPERATIONS:
            return call(operation_name, api_params)
        if self._failures[operation_name] >= FAILURES:
            raise _build_error(operation_name, self._reasons[operation_name])
        try:
            answer = call(operation_name, api_params)
        except Exception as error:
            reason = describe_failed_call(error, operation_name)
            if reason is None:
                raise
            with self._counting:
                self._reasons[operation_name] = reason
                self._failures[operation_name] += 1
            raise _build_error(operation_name, reason) from error
        with self._counting:
            self._failures[operation_name] = 0
        return answer


def _derive_class(base_classes: list[type], **_: Any) -> None:
    """Let the class of a client begin with ours, as boto3 adds methods to S3's.

    https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html
    """
    base_classes.insert(0, _PartialClient)


def _build_error(operation: str, reason: str) -> ClientError:
    return ClientError({"Error": {"Code": NOT_RECORDED, "Message": reason}}, operation)
