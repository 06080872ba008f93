"""A long random history of a VPC, of which every call's effect is known, and the monitor beside it.

Calls are made to the emulated EC2 one by one. After each the network is read and evaluated: that is
the truth. The monitor only receives the events of the calls: delayed, more than once, in another
order, in batches, and each again after five minutes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.moto_api._internal import mock_random

from monitor_stage import HOME, batch, shared_session
from posture.baseline.document import BaselineDocument
from posture.changes.cloudtrail import parse_record
from posture.ec2.observer import Observer
from posture.errors import UndecidedEditError
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.changes import Evaluator
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.scope_resolver import ScopeResolver
from posture.model.change import Change
from posture.model.finding import Finding
from posture.model.network import Snapshot
from posture.model.scope import Region, Scope
from posture.model.verdict import Severity, Status, Verdict
from posture.remedies.effect import VerdictKey, select_worst
from posture.rules.engine import evaluate_vpc
from posture.store.baselines import BaselineTable
from posture.store.history import History
from posture.store.items import Entry
from posture.store.rejections import Rejections
from posture.store.scope_store import Store
from posture_cli.embedded.cloudtrail import ApiCaller, record_calls
from posture_cli.embedded.moto_patches import EndpointPatches, patch_moto
from random_requests import CHOICES, RandomNetwork, build_network
from sample_network import ACCOUNT, REGION
from stack_tables import TABLES, create_tables
from stored_findings import read_stored_findings
from strict_ec2 import StrictEc2

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

Params = dict[str, Any]
Verdicts = Mapping[VerdictKey, Verdict]

START = datetime(2027, 1, 5, 12, tzinfo=UTC)
CALLERS = ("alice", "bob", "carol")
SECOND_LOOK = timedelta(minutes=5)
WINDOW = timedelta(seconds=5)  # for which the queue collects a batch
MAX_BATCH = 10
# Calls that open and close things, each as often as several of the others.
OFTEN = (
    "ModifyVpcEndpoint",
    "AuthorizeSecurityGroupIngress",
    "RevokeSecurityGroupIngress",
    "CreateRoute",
    "DeleteRoute",
    "ReplaceRoute",
    "CreateVpcEndpoint",
    "ReplaceRouteTableAssociation",
    "CreateNetworkAclEntry",
    "ModifyVpcAttribute",
)
TARGETS = {
    "nat-": "NatGatewayId",
    "igw-": "GatewayId",
    "eigw-": "EgressOnlyInternetGatewayId",
    "tgw-": "TransitGatewayId",
    "pcx-": "VpcPeeringConnectionId",
}


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made, and what the network was like after it."""

    change: Change
    snapshot: Snapshot
    verdicts: Verdicts


@dataclass
class RandomHistory:
    """A random history.

    Attributes:
        random: Where all chance comes from.
        network: The VPC and how requests are chosen.
        made: The calls so far.
        looks: For each evaluation, how many calls had been made.
        time: The present time.
    """

    random: Random
    network: RandomNetwork
    clients: Mapping[str, Any]
    dynamodb: Any
    time: datetime = START
    made: list[Made] = field(default_factory=list)
    first: Verdicts = field(default_factory=dict)
    start: Snapshot | None = None
    looks: list[int] = field(default_factory=list)
    due: list[tuple[datetime, int, dict[str, Any]]] = field(default_factory=list)
    undo: list[tuple[str, Params]] = field(default_factory=list)
    _records: list[dict[str, Any]] = field(default_factory=list)
    _number: int = 0

    @property
    def scope(self) -> Scope:
        """The scope of the VPC."""
        return Scope(ACCOUNT, REGION, self.network.vpc)

    def now(self) -> datetime:
        """Return the time, a millisecond after the last one."""
        self.time += timedelta(milliseconds=1)
        return self.time

    def run(self, calls: int) -> None:
        """Make so many calls, and deliver all events."""
        self.start, self.first = self._observe()
        self._sweep()
        self.time += timedelta(minutes=5)
        for _ in range(calls):
            gap = self.random.choice([0.2, 1, 3, 10, 40, 400])
            self._deliver_until(self.time + timedelta(seconds=gap * self.random.random()))
            self._call()
        while self.due:
            self._deliver_until(self.due[0][0])

    def receive(self, record: dict[str, Any]) -> None:
        """Receive the record of a call that is made."""
        self._records.append({**record, "eventTime": f"{self.time:%Y-%m-%dT%H:%M:%SZ}"})

    def list_rows(self) -> list[Entry]:
        """List the rows of history."""
        return list(History(self.dynamodb, TABLES.history).find_by_scope(self.scope))

    def list_findings(self) -> dict[VerdictKey, Finding]:
        """List the findings, resolved ones included."""
        found = read_stored_findings(Store(self.dynamodb, TABLES), self.scope).values()
        return {(each.rule, each.resource): each for each in found}

    def list_verdicts(self, key: VerdictKey) -> list[Verdict | None]:
        """List the verdicts of a rule on a resource: at first, and after each call."""
        return [self.first.get(key), *(each.verdicts.get(key) for each in self.made)]

    def _observe(self) -> tuple[Snapshot, Verdicts]:
        snapshot = Observer(self.network.ec2, HOME, lambda: self.time).collect_vpc(self.scope)
        assert snapshot is not None
        return snapshot, select_worst(evaluate_vpc(snapshot, BaselineDocument().default))

    def _call(self) -> None:
        """Make a call that EC2 accepts: a random one, or one that puts an earlier one back."""
        for _ in range(20):
            operation, params = self._choose()
            before = self.made[-1].snapshot if self.made else self.start
            caller = self.random.choice(CALLERS)
            self._records.clear()
            name = "".join(f"_{each.lower()}" if each.isupper() else each for each in operation)
            try:
                answer = getattr(self.clients[caller], name.strip("_"))(**params)
            except (ClientError, UndecidedEditError):
                continue
            if answer.get("Unsuccessful"):
                continue
            self.network._note(operation, params, answer)
            for record in self._records:
                snapshot, verdicts = self._observe()
                self.made.append(Made(parse_record(record), snapshot, verdicts))
                self._schedule(record)
            if before and (back := invert(operation, params, answer, before)):
                self.undo.append(back)
            return

    def _choose(self) -> tuple[str, Params]:
        if self.undo and self.random.random() < 0.45:
            return self.undo.pop(self.random.choice([-1, -1, 0]))
        operation = self.random.choice([*OFTEN * 6, *CHOICES])
        params = CHOICES[operation](self.network)
        return operation, {name: each for name, each in params.items() if each is not None}

    def _schedule(self, record: dict[str, Any]) -> None:
        """Schedule the deliveries of an event."""
        late = self.random.random() < 0.1
        delays = [self.random.uniform(60, 500) if late else self.random.expovariate(1 / 12)]
        if self.random.random() < 0.2:  # EventBridge and SQS deliver at least once
            delays.append(delays[0] + self.random.uniform(0, 90))
        for delay in [*delays, delays[0] + SECOND_LOOK.total_seconds()]:
            self._number += 1
            at = self.time + timedelta(seconds=delay)
            heapq.heappush(self.due, (at, self._number, record))

    def _deliver_until(self, until: datetime) -> None:
        """Deliver what is due, in batches, and let the monitor evaluate it."""
        while self.due and self.due[0][0] <= until:
            self.time = max(self.time, self.due[0][0])
            taken: list[dict[str, Any]] = []
            limit = min(until, self.due[0][0] + WINDOW * self.random.random())
            while self.due and self.due[0][0] <= limit and len(taken) < MAX_BATCH:
                taken.append(heapq.heappop(self.due)[2])
            self.time = max(self.time, limit)
            self.random.shuffle(taken)
            self.looks.append(len(self.made))
            result = self._evaluator().evaluate(batch(*taken))
            assert not result.failed, result
        self.time = max(self.time, until)

    def _evaluator(self) -> Evaluator:
        """Return a monitor as a new process would have it."""
        store = Store(self.dynamodb, TABLES)
        return Evaluator(
            EvaluationPorts(
                observer=Observer(self.network.ec2, HOME, self.now),
                resolver=ScopeResolver(self._client_of, store.resource_index),
                store=store,
                baselines=BaselineTable(self.dynamodb, TABLES.baseline),
                rejections=Rejections(self.dynamodb, TABLES.history),
            )
        )

    def _client_of(self, _: Region) -> EC2Client:
        return cast("EC2Client", self.network.ec2)

    def _sweep(self) -> None:
        self.looks.append(len(self.made))
        baselines = BaselineTable(self.dynamodb, TABLES.baseline)
        observer = Observer(self.network.ec2, HOME, self.now)
        RegionSweep(observer, Store(self.dynamodb, TABLES), baselines).run()


def rate(verdict: Verdict | None) -> int:
    """Rate a verdict: 0 unless it fails, more for a higher severity."""
    failed = verdict is not None and verdict.status is Status.FAIL
    return len(Severity) - verdict.severity.rank if failed and verdict else 0


def invert(  # noqa: C901, PLR0911, PLR0912 - one case for each operation
    operation: str, params: Params, answer: Mapping[str, Any], before: Snapshot
) -> tuple[str, Params] | None:
    """Return the request that puts another one back; None where it is not known."""
    match operation:
        case "CreateRoute":
            return "DeleteRoute", _pick(params, "RouteTableId", *DESTINATIONS)
        case "DeleteRoute" | "ReplaceRoute":
            target = _find_target(params, before)
            key = _pick(params, "RouteTableId", *DESTINATIONS)
            verb = "CreateRoute" if operation == "DeleteRoute" else operation
            return (verb, {**key, **target}) if target else None
        case "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress":
            return operation.replace("Authorize", "Revoke"), params
        case "RevokeSecurityGroupIngress" | "RevokeSecurityGroupEgress":
            return operation.replace("Revoke", "Authorize"), params
        case "CreateVpcEndpoint":
            return "DeleteVpcEndpoints", {
                "VpcEndpointIds": [answer["VpcEndpoint"]["VpcEndpointId"]]
            }
        case "ModifyVpcEndpoint":
            return operation, _swap(params, before)
        case "CreateNetworkAclEntry":
            return "DeleteNetworkAclEntry", _pick(params, "NetworkAclId", "RuleNumber", "Egress")
        case "ModifyVpcAttribute":
            vpc = before.vpc
            was = {"EnableDnsSupport": vpc.dns_support, "EnableDnsHostnames": vpc.dns_hostnames}
            named = {name: {"Value": bool(each)} for name, each in was.items() if name in params}
            return operation, {"VpcId": params["VpcId"], **named}
        case "AssociateRouteTable":
            return "DisassociateRouteTable", {"AssociationId": answer["AssociationId"]}
        case "ReplaceRouteTableAssociation":
            tables = before.route_tables.values()
            old = next((it.id for it in tables if params["AssociationId"] in it.associations), None)
            new = answer["NewAssociationId"]
            return (operation, {"AssociationId": new, "RouteTableId": old}) if old else None
        case "ReplaceNetworkAclAssociation":
            acls = before.network_acls.values()
            old = next((it.id for it in acls if params["AssociationId"] in it.associations), None)
            new = answer["NewAssociationId"]
            return (operation, {"AssociationId": new, "NetworkAclId": old}) if old else None
        case "DetachInternetGateway":
            return "AttachInternetGateway", params
        case "AttachInternetGateway":
            return "DetachInternetGateway", params
    return None


DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")


def _pick(params: Params, *names: str) -> Params:
    return {name: params[name] for name in names if name in params}


def _find_target(params: Params, before: Snapshot) -> Params:
    table = before.route_tables.get(params["RouteTableId"])
    wanted = {str(params[name]) for name in DESTINATIONS if name in params}
    for route in table.routes if table else ():
        if route.destination in wanted:
            for prefix, name in TARGETS.items():
                if route.target.id.startswith(prefix):
                    return {name: route.target.id}
    return {}


def _swap(params: Params, before: Snapshot) -> Params:
    endpoint = before.endpoints[params["VpcEndpointId"]]
    found: Params = {"VpcEndpointId": endpoint.id}
    for name in ("RouteTableIds", "SubnetIds", "SecurityGroupIds"):
        for verb, other in (("Add", "Remove"), ("Remove", "Add")):
            if f"{verb}{name}" in params:
                found[f"{other}{name}"] = params[f"{verb}{name}"]
    if "PolicyDocument" in params or "ResetPolicy" in params:
        found["PolicyDocument"] = endpoint.policy
    if "PrivateDnsEnabled" in params:
        found["PrivateDnsEnabled"] = bool(endpoint.private_dns)
    return found


@contextmanager
def begin_history(seed: int) -> Iterator[RandomHistory]:
    """Build a random VPC, empty tables, and what records the calls of three callers."""
    with mock_aws():
        mock_random.seed(seed)
        patch_moto()
        random = Random(seed)  # noqa: S311 - reproducible, not secret
        session: boto3.Session = shared_session()
        dynamodb = session.client("dynamodb")
        create_tables(dynamodb)
        silent = session.client("ec2")
        clients = {name: session.client("ec2") for name in CALLERS}
        for client in (silent, *clients.values()):
            StrictEc2(ACCOUNT, REGION).attach(client)
            EndpointPatches(ACCOUNT, REGION).attach(client)
        history = RandomHistory(random, build_network(silent, random), clients, dynamodb)
        receive: Callable[[dict[str, Any]], None] = history.receive
        for name, client in clients.items():
            record_calls(client, ApiCaller(ACCOUNT, "NetworkAdmin", name), receive)
        yield history
