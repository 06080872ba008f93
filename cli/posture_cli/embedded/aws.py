"""The stack of template.yaml in an emulated AWS inside this process.

An API call's event passes the stack's EventBridge rules to the changes queue, in batches to the
evaluate function, into the findings table, through its stream and filter to the notify function,
and to the alert topic. moto emulates the services; `event_source_mappings` connects the queue and
the stream to the functions, which moto does not run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
from moto import mock_aws

from posture.errors import PostureError
from posture.runtime import clients
from posture_cli.embedded.cloudtrail import ApiCaller, JsonObject, build_event_entry, record_calls
from posture_cli.embedded.environment import isolate_environment
from posture_cli.embedded.event_source_mappings import QueueMapping, StreamMapping
from posture_cli.embedded.functions import EmbeddedFunction
from posture_cli.embedded.mailbox import Mailbox
from posture_cli.embedded.moto_patches import EndpointPatches, patch_moto
from posture_cli.embedded.stack import Stack, deploy_stack
from posture_cli.embedded.translation import read_template

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

POLLS = 200  # more than any demo needs; a queue that never empties is a fault
DEFAULT_REGION = "eu-west-1"


class UnsettledError(PostureError):
    """Messages keep circulating, which the queue's redrive policy should have ended."""


class EmbeddedAws:
    """A context in which boto3 in this process uses the emulated AWS.

    Args:
        root: The project's folder, with `template.yaml` and `functions/`.
        region: The region of the stack.
        parameters: The stack's parameters.
    """

    def __init__(
        self,
        root: Path,
        region: str = DEFAULT_REGION,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self._root = root
        self._parameters = parameters or {}
        self._exits = ExitStack()
        self.region = region
        self.account = ""
        self.stack: Stack
        self.session: boto3.Session
        self.mailbox: Mailbox
        self.trail: list[JsonObject] = []  # every record that was put on the event bus
        self.functions: dict[str, EmbeddedFunction] = {}
        self._mappings: list[QueueMapping | StreamMapping] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()  # or the next start would find the remains of this one
            raise
        return self

    def __exit__(self, *reason: object) -> None:
        _forget_clients()
        self._exits.close()

    def ec2(self, caller: ApiCaller | None = None) -> EC2Client:
        """Create an EC2 client; with a caller, its calls become events."""
        client = self.session.client("ec2")
        self._endpoint_patches.attach(client)
        if caller:
            record_calls(client, caller, self.put_record)
        return client

    def put_record(self, entry: JsonObject) -> None:
        """Put a CloudTrail record on the event bus, where the stack's rules match it."""
        self.trail.append(entry)
        self._events.put_events(Entries=[build_event_entry(entry)])

    def sweep(self) -> None:
        """Invoke the targets of the stack's schedule, and process what follows."""
        for rule in self.stack.of_type("AWS::Events::Rule").values():
            if "ScheduleExpression" in rule.properties:
                for target in rule.properties["Targets"]:
                    name = target["Arn"].rsplit(":", 1)[-1]
                    self.functions[name](json.loads(target["Input"]))
        self.settle()

    def settle(self) -> None:
        """Process all events, messages and stream records that are in flight.

        Raises:
            UnsettledError: Messages are still in flight after `POLLS` polls.
        """
        for _ in range(POLLS):
            if not sum(mapping.poll() for mapping in self._mappings):
                return
        raise UnsettledError(f"messages are still in flight after {POLLS} polls")

    def logs(self) -> Sequence[str]:
        """Return the log lines of all functions."""
        return [line for f in self.functions.values() for line in f.log.getvalue().splitlines()]

    def _start(self) -> None:
        self._exits.enter_context(isolate_environment(self.region))
        self._exits.enter_context(mock_aws(config={"lambda": {"use_docker": False}}))
        _forget_clients()
        patch_moto()
        self.session = boto3.Session(region_name=self.region)
        self.account = self.session.client("sts").get_caller_identity()["Account"]
        template = self._root / "template.yaml"
        self.stack = deploy_stack(template, region=self.region, parameters=self._parameters)
        self._endpoint_patches = EndpointPatches(self.account, self.region)
        self._endpoint_patches.patch_stack(self.stack)
        self.functions = self._load_functions(read_template(template))
        mappings = self.stack.of_type("AWS::Lambda::EventSourceMapping").values()
        self._mappings = [self._build_mapping(resource.properties) for resource in mappings]
        self.mailbox = Mailbox(self.session, self.stack.outputs["AlertTopicArn"])
        self._events = self.session.client("events")

    def _load_functions(self, template: Mapping[str, Any]) -> dict[str, EmbeddedFunction]:
        functions = {}
        for logical_id, resource in self.stack.of_type("AWS::Lambda::Function").items():
            code = template["Resources"][logical_id]["Properties"]["CodeUri"]
            name = resource.physical_id
            arn = f"arn:aws:lambda:{self.region}:{self.account}:function:{name}"
            settings = self.stack.environment(logical_id)
            functions[name] = EmbeddedFunction(name, self._root / code / "app.py", settings, arn)
        return functions

    def _build_mapping(self, properties: Mapping[str, Any]) -> QueueMapping | StreamMapping:
        function = self.functions[properties["FunctionName"]]
        if ":sqs:" in properties["EventSourceArn"]:
            return QueueMapping(self.session.client("sqs"), properties, function)
        destination = properties["DestinationConfig"]["OnFailure"]["Destination"]
        give_up = partial(self._send_discarded, destination)
        streams = self.session.client("dynamodbstreams")
        return StreamMapping(streams, properties, function, give_up)

    def _send_discarded(self, queue_arn: str, records: Sequence[JsonObject]) -> None:
        """Send Lambda's message about discarded records to the failure destination."""
        sqs = self.session.client("sqs")
        info = {"batchSize": len(records), "streamArn": records[0]["eventSourceARN"]}
        for number, name, record in (("start", "First", records[0]), ("end", "Last", records[-1])):
            image = record["dynamodb"]
            arrival = datetime.fromtimestamp(image["ApproximateCreationDateTime"], UTC)
            info[f"{number}SequenceNumber"] = image["SequenceNumber"]
            info[f"approximateArrivalOf{name}Record"] = f"{arrival:%Y-%m-%dT%H:%M:%SZ}"
        url = sqs.get_queue_url(QueueName=queue_arn.rsplit(":", 1)[-1])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"DDBStreamBatchInfo": info}))


def _forget_clients() -> None:
    """Discard cached clients, so that none is used both inside and outside the context."""
    for function in vars(clients).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()
