"""A monitor over a small emulated region: calls become records, records become evaluations."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.moto_api._internal import mock_random

from posture.ec2.observer import Observer
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.changes import BatchResult, Evaluator
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.scope_resolver import KINDS, ScopeResolver
from posture.evaluation.sweep_result import SweepResult
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Region, Scope
from posture.store.baselines import BaselineTable
from posture.store.history import History
from posture.store.rejections import Rejections
from posture.store.scope_store import Store
from posture_cli.embedded.cloudtrail import ApiCaller, record_calls
from posture_cli.embedded.moto_patches import patch_moto
from sample_network import ACCOUNT, REGION, SampleNetwork, build_sample_network
from stack_tables import TABLES, create_tables
from stored_findings import read_stored_findings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client

HOME = Region(ACCOUNT, REGION)
SECONDS = 100.0  # that a slice takes by a `SliceClock`
ALICE = ApiCaller(ACCOUNT, "NetworkAdmin", "alice")
ANY_ADDRESS = {
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
}


class Clock:
    """A clock that advances by a step at each reading, so that no two snapshots have one time."""

    def __init__(self) -> None:
        self.time = datetime(2026, 12, 1, 12, tzinfo=UTC)
        self.step = timedelta(seconds=1)

    def __call__(self) -> datetime:
        """Return the time, a step after the last one."""
        self.time += self.step
        return self.time


@dataclass
class Stage:
    """A region, the monitor's tables, and a trail of what is done to the region.

    `alice` is an EC2 client whose calls are on the trail; `network.ec2` leaves no trace.
    """

    network: SampleNetwork
    alice: Any
    dynamodb: "DynamoDBClient"
    trail: list[dict[str, Any]] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    @property
    def store(self) -> Store:
        """The monitor's store."""
        return Store(self.dynamodb, TABLES)

    def observer(self, now: Any = None) -> Observer:
        """Return an observer of the region, with another clock if given."""
        return Observer(self.network.ec2, HOME, now or self.clock)

    def evaluator(self, observer: Observer | None = None) -> Evaluator:
        """Return a monitor as a new process would have it."""
        return Evaluator(
            EvaluationPorts(
                observer=observer or self.observer(),
                resolver=ScopeResolver(self.client_of, self.store.resource_index),
                store=self.store,
                baselines=BaselineTable(self.dynamodb, TABLES.baseline),
                rejections=Rejections(self.dynamodb, TABLES.history),
                own_vpc=self.network.vpc,
            )
        )

    def evaluate(self, *records: Any) -> BatchResult:
        """Evaluate records as one batch; without any, all that is on the trail so far."""
        return self.evaluator().evaluate(batch(*(records or self.taken())))

    def deliver(self, record: dict[str, Any]) -> None:
        """Add a record to the trail, at the time of the stage's clock."""
        time = f"{self.clock.time:%Y-%m-%dT%H:%M:%SZ}"
        self.trail.append({**record, "eventTime": time})

    def taken(self) -> list[dict[str, Any]]:
        """Take the records off the trail."""
        taken, self.trail[:] = list(self.trail), []
        return taken

    def sweep(self) -> SweepResult:
        """Sweep the region."""
        baselines = BaselineTable(self.dynamodb, TABLES.baseline)
        return RegionSweep(self.observer(), self.store, baselines).run()

    def findings(self, scope: Scope | None = None) -> list[Finding]:
        """Return the open findings of a scope; the full VPC's without one."""
        stored = read_stored_findings(self.store, scope or self.network.scope).values()
        return [each for each in stored if each.status is FindingStatus.OPEN]

    def about(self, resource: str) -> list[Finding]:
        """Return the full VPC's open findings that concern a resource."""
        return [each for each in self.findings() if resource in each.verdict.concerns]

    def rows(self, scope: Scope | None = None) -> int:
        """Count the rows of a scope's history."""
        history = History(self.dynamodb, TABLES.history)
        return len(list(history.find_by_scope(scope or self.network.scope)))

    def refused(self) -> Mapping[str, str]:
        """Return why messages were refused, by message id."""
        answer = self.dynamodb.query(
            TableName=TABLES.history,
            KeyConditionExpression="#scope = :rejected",
            ExpressionAttributeNames={"#scope": "scope"},
            ExpressionAttributeValues={":rejected": {"S": "rejected"}},
        )
        return {item["entry"]["S"]: item["reason"]["S"] for item in answer["Items"]}

    def load_balancer(self) -> str:
        """Create a network load balancer, as an endpoint service needs one; return its ARN."""
        client = shared_session().client("elbv2")
        made = client.create_load_balancer(
            Name="nlb", Type="network", Subnets=[self.network.subnet]
        )
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def open_group(self) -> None:
        """Open the interface endpoint to 0.0.0.0/0, on the trail."""
        self.alice.authorize_security_group_ingress(
            GroupId=self.network.group, IpPermissions=[ANY_ADDRESS]
        )

    def close_group(self) -> None:
        """Close the interface endpoint again, on the trail."""
        self.alice.revoke_security_group_ingress(
            GroupId=self.network.group, IpPermissions=[ANY_ADDRESS]
        )

    def fail(self, operation: str, code: str) -> Callable[[], None]:
        """Make EC2 refuse an operation from now on; return a function that ends that."""
        name = f"before-call.ec2.{operation}"

        def refuse(**_: Any) -> None:
            error = {"Error": {"Code": code, "Message": "as the test wants it"}}
            raise ClientError(error, operation)  # type: ignore[arg-type]

        events = self.network.ec2.meta.events
        events.register_first(name, refuse)
        return lambda: events.unregister(name, refuse)

    def blind(self) -> None:
        """Make EC2 return no resource any more, as when all are deleted."""
        for operation in sorted({each.operation for each in KINDS.values()}):
            name = "".join(part.title() for part in operation.split("_"))
            self.fail(name, "InvalidID.NotFound")

    def client_of(self, region: Region) -> "EC2Client":
        """Return the monitor's EC2 client of a region."""
        assert region.name == REGION, "the monitor looks into its own region only"
        client: EC2Client = self.network.ec2
        return client


class SliceClock:
    """Time that only reading a slice takes: `SECONDS` each."""

    def __init__(self, stage: Stage, seconds: float) -> None:
        self._left = seconds
        stage.network.ec2.meta.events.register("before-call.ec2.DescribeSubnets", self._take)

    def __call__(self) -> float:
        """Return the seconds that are left."""
        return self._left

    def _take(self, **_: Any) -> None:
        self._left -= SECONDS


def batch(*records: Any) -> dict[str, Any]:
    """Return the SQS event that Lambda receives: the messages' ids are `m-1`, `m-2` …."""
    return {
        "Records": [
            {
                "messageId": f"m-{number}",
                "body": record if isinstance(record, str) else event(record),
            }
            for number, record in enumerate(records, 1)
        ]
    }


def event(record: Mapping[str, Any]) -> str:
    """Wrap a CloudTrail record as EventBridge does."""
    return json.dumps(
        {
            "version": "0",
            "id": "59dbff89-35bd-4eac-99ed-be587ed81825",
            "detail-type": "AWS API Call via CloudTrail",
            "source": "aws.ec2",
            "account": record.get("recipientAccountId", ACCOUNT),
            "region": REGION,
            "detail": record,
        }
    )


def attribute_change(vpc: str) -> dict[str, Any]:
    """Return a record that names this VPC and nothing else."""
    return {
        "eventID": "attribute-changed",
        "eventName": "ModifyVpcAttribute",
        "eventSource": "ec2.amazonaws.com",
        "eventTime": "2026-11-23T12:00:00Z",
        "awsRegion": "eu-west-1",
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "Root", "arn": "arn:aws:iam::111122223333:root"},
        "requestParameters": {"vpcId": vpc},
    }


@lru_cache(maxsize=1)
def shared_session() -> boto3.Session:
    """Return one session for all tests of a process: it parses EC2's model of 4 MB once."""
    return boto3.Session("testing", "testing", region_name=REGION)


@contextmanager
def staged() -> Iterator[Stage]:
    """Build the region and empty tables."""
    with mock_aws():
        mock_random.seed(0)  # ids decide when in the day a scope is evaluated again
        patch_moto()
        session = shared_session()
        dynamodb = session.client("dynamodb")
        create_tables(dynamodb)
        alice = session.client("ec2")
        stage = Stage(build_sample_network(session.client("ec2")), alice, dynamodb)
        record_calls(alice, ALICE, stage.deliver)
        yield stage
