"""Which IAM actions each function's code makes use of, derived from the API calls it makes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from botocore.validate import ParamValidator

from posture.runtime import clients
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.functions import EmbeddedFunction

# A transaction is authorised as the writes that it is made of.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
IN_TRANSACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


@dataclass(frozen=True, order=True)
class Use:
    """An action on a resource of the template; "*" where the call names none."""

    action: str
    resource: str


@dataclass
class Recorder:
    """Records what functions use; `uses` is by function name.

    `names` gives the logical id of a table, index or topic by its physical name.
    """

    names: Mapping[str, str]
    uses: dict[str, set[Use]] = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)
    running: str = ""

    def record(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        """Take note of a call that is about to be made, whose parameters must be valid.

        The functions' clients do not validate, see `posture.runtime.clients`.
        """
        if self.running:
            report = ParamValidator().validate(params, model.input_shape)
            if report.has_errors():
                self.invalid.append(f"{model.name}: {report.generate_report()}")
            service = model.service_model.service_name
            found = self._uses(service, model.name, params)
            self.uses.setdefault(self.running, set()).update(found)

    def _uses(self, service: str, operation: str, params: Mapping[str, Any]) -> Iterator[Use]:
        for action, part in list_parts(service, operation, params):
            index = f"/index/{part['IndexName']}" if "IndexName" in part else ""
            named = part.get("TableName") if service == "dynamodb" else part.get("TopicArn")
            yield Use(action, self.names[named] + index if named else "*")


def list_parts(
    service: str, operation: str, params: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each action that a call needs, with the parameters that it is for."""
    if operation == "TransactWriteItems":
        for write in params["TransactItems"]:
            ((kind, item),) = write.items()
            yield f"dynamodb:{IN_TRANSACTIONS[kind]}", item
    elif operation in {"BatchGetItem", "BatchWriteItem"}:
        for table in params["RequestItems"]:
            yield f"dynamodb:{operation}", {"TableName": table}
    else:
        yield f"{service}:{operation}", params


def create_bucket(aws: EmbeddedAws, name: str) -> None:
    """Create the bucket of another account that chain ends are exported to."""
    aws.session.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": cast("Any", aws.region)}
    )


@contextmanager
def recording(aws: EmbeddedAws) -> Iterator[Recorder]:
    """Record the calls of the stack's functions, which must not have run before."""
    made = aws.stack.resources.items()
    recorder = Recorder({it.physical_id: name for name, it in made if it.physical_id})
    clients.session().register("before-parameter-build.*.*", cast("Any", recorder.record))
    run = EmbeddedFunction.__call__

    def recorded(self: EmbeddedFunction, event: Any) -> Any:
        recorder.running = self.name
        try:
            return run(self, event)
        finally:
            recorder.running = ""

    EmbeddedFunction.__call__ = recorded  # type: ignore[method-assign]
    try:
        yield recorder
    finally:
        EmbeddedFunction.__call__ = run  # type: ignore[method-assign]
