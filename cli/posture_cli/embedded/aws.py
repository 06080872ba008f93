"""AWS on this machine: the real template's stack, with its own parts doing the work.

A call's event goes through the stack's EventBridge rules to its queue, from there by the mapping's
batches to the function, into the table, through its stream and the mapping's filter to the
notifier, and to the topic. moto plays the services; between service and function, where moto does
nothing, the mappings here do what Lambda's event source mappings do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
from moto import mock_aws

from posture.errors import PostureError
from posture.runtime import clients
from posture_cli.embedded.call_recorder import CallRecorder
from posture_cli.embedded.cloudtrail import ApiCaller, Json, build_event_entry
from posture_cli.embedded.environment import isolate_environment
from posture_cli.embedded.functions import EmbeddedFunction
from posture_cli.embedded.mailbox import Mailbox
from posture_cli.embedded.moto_patches import EndpointPatches, patch_moto
from posture_cli.embedded.queues import QueueMapping
from posture_cli.embedded.stack import Stack, deploy_stack
from posture_cli.embedded.streams import StreamMapping, StreamSettings
from posture_cli.embedded.translation import read_template

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

TURNS = 200  # more than any story needs; a queue that never empties is a fault
DEFAULT_REGION = "eu-west-1"


class UnsettledError(PostureError):
    """Messages keep going round; the queue's redrive policy ought to have taken them out."""


class EmbeddedAws:
    """A context: inside it, this process's AWS is the embedded one.

    Args:
        root: the project's folder, with `template.yaml` and `functions/`.
        region: where the stack is.
        parameters: the stack's parameters.
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
        self.trail: list[Json] = []  # every record that went on the bus
        self.functions: dict[str, EmbeddedFunction] = {}
        self._mappings: list[QueueMapping | StreamMapping] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()  # or the next one would start in what this one left
            raise
        return self

    def __exit__(self, *reason: object) -> None:
        _forget_clients()
        self._exits.close()

    def ec2(self, caller: ApiCaller | None = None) -> EC2Client:
        """Give an EC2 client; with a caller, what it does is on the trail."""
        client = self.session.client("ec2")
        self._endpoint_patches.attach(client)
        if caller:
            self.record_calls(client, caller, self.put_record)
        return client

    def record_calls(
        self, client: EC2Client, caller: ApiCaller, deliver: Callable[[Json], None]
    ) -> None:
        """Hand on the CloudTrail record of whatever a client does from now on."""
        CallRecorder(deliver).attach(client, caller)

    def put_record(self, entry: Json) -> None:
        """Put a CloudTrail record on the event bus, where the stack's rules look at it."""
        self.trail.append(entry)
        self._events.put_events(Entries=[build_event_entry(entry)])

    def sweep(self) -> None:
        """Do what the stack's schedule does when its time has come."""
        for rule in self.stack.of_type("AWS::Events::Rule").values():
            if "ScheduleExpression" in rule.properties:
                for target in rule.properties["Targets"]:
                    name = target["Arn"].rsplit(":", 1)[-1]
                    self.functions[name](json.loads(target["Input"]))
        self.settle()

    def settle(self) -> None:
        """Let everything under way arrive.

        Raises:
            UnsettledError: it never does.
        """
        for _ in range(TURNS):
            if not sum(mapping.poll() for mapping in self._mappings):
                return
        raise UnsettledError(f"messages still go round after {TURNS} turns")

    def logs(self) -> Sequence[str]:
        """What the functions logged, line by line."""
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
        self._endpoint_patches.adopt(self.stack)
        self.functions = self._load_functions(read_template(template))
        self._mappings = [self._mapping(properties) for properties in self._mapping_properties()]
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

    def _mapping_properties(self) -> list[Mapping[str, Any]]:
        mappings = self.stack.of_type("AWS::Lambda::EventSourceMapping").values()
        return [resource.properties for resource in mappings]

    def _mapping(self, properties: Mapping[str, Any]) -> QueueMapping | StreamMapping:
        source = properties["EventSourceArn"]
        function = self.functions[properties["FunctionName"]]
        if ":sqs:" in source:
            sqs = self.session.client("sqs")
            return QueueMapping(sqs, source, properties["BatchSize"], function)
        filters = properties.get("FilterCriteria", {}).get("Filters", [])
        settings = StreamSettings(
            arn=source,
            batch_size=properties["BatchSize"],
            retries=properties["MaximumRetryAttempts"],
            patterns=tuple(json.loads(f["Pattern"]) for f in filters),
        )
        destination = properties["DestinationConfig"]["OnFailure"]["Destination"]

        def give_up(records: Sequence[Json]) -> None:
            self._give_up(destination, records)

        streams = self.session.client("dynamodbstreams")
        return StreamMapping(streams, settings, function, give_up)

    def _give_up(self, queue_arn: str, records: Sequence[Json]) -> None:
        """Tell the failure queue which records were given up, as Lambda does: by their numbers."""
        sqs = self.session.client("sqs")
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        arrivals = [record["dynamodb"]["ApproximateCreationDateTime"] for record in records]
        info = {
            "batchSize": len(records),
            "startSequenceNumber": numbers[0],
            "endSequenceNumber": numbers[-1],
            "approximateArrivalOfFirstRecord": _second(arrivals[0]),
            "approximateArrivalOfLastRecord": _second(arrivals[-1]),
            "streamArn": records[0]["eventSourceARN"],
        }
        url = sqs.get_queue_url(QueueName=queue_arn.rsplit(":", 1)[-1])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"DDBStreamBatchInfo": info}))


def _second(timestamp: float) -> str:
    """Write a time as Lambda does, to the second."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _forget_clients() -> None:
    """See to it that no client made outside serves inside, nor the other way round."""
    for made_once in (
        clients.session,
        clients.ec2,
        clients.dynamodb,
        clients.sns,
        clients.security_hub,
    ):
        made_once.cache_clear()
