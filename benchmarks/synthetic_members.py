"""The AWS of an organization: small accounts of two VPCs, a large one, and some that are broken.

Each small account is like all others: what EC2 answers is built once for each state of its two VPCs
and then gets the ids of the account. The account of a request is that of the role's credentials.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from threading import RLock, local
from typing import Any
from urllib.parse import parse_qsl

import boto3
from capacity_meter import READ, MeteredAws, measure_item
from synthetic_aws import ACCOUNT, ID, SHARED, Json

# The ends of the ids of an account's two VPCs, in what is built for all accounts.
ENDS = ("eeee0e", "eeee1e")
FIRST = 0x100000  # the first end of an id of a small account; those of the large one are below
PAGE = 2**20  # bytes of a Query's page
CREDENTIAL = re.compile(r"Credential=[A-Z]*(\d{12})?")
OPEN = {
    "IpProtocol": "tcp",
    "FromPort": 443,
    "ToPort": 443,
    "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
}
ANYWHERE = "0.0.0.0/0"
POLICY = {  # of the account's own principals and resources
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "*",
            "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "aws:PrincipalAccount": ACCOUNT,
                    "aws:ResourceAccount": ACCOUNT,
                }
            },
        }
    ],
}


class Fault(StrEnum):
    """Why an account cannot be read, by the error code."""

    ROLE = "AccessDenied"
    EC2 = "UnauthorizedOperation"
    THROTTLED = "RequestLimitExceeded"


@dataclass(slots=True)
class VpcState:
    """What changes in a VPC: whether its first group admits all, and its default route."""

    open: bool = False
    routed: bool = False


@dataclass(slots=True)
class Account:
    """An account with two VPCs, or the large one."""

    id: str
    number: int
    vpcs: int = 2
    fault: Fault | None = None
    states: tuple[VpcState, VpcState] = field(default_factory=lambda: (VpcState(), VpcState()))

    @property
    def is_small(self) -> bool:
        """Whether it has two VPCs, which are built from those of all accounts."""
        return self.vpcs == len(ENDS)

    def end_of_ids(self, vpc: int) -> str:
        """Return the end of the ids of a VPC and of what is in it."""
        return f"{FIRST + len(ENDS) * self.number + vpc if self.is_small else vpc:06x}"


class AwsError(Exception):
    """An error of EC2 or STS, with its status."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class MembersAws(MeteredAws):
    """EC2 of many accounts, STS, and DynamoDB with streams of members and of findings."""

    def __init__(
        self, session: boto3.Session, rows: Mapping[str, list[Json]], shared: Json
    ) -> None:
        super().__init__(session, rows, _complete_lists(shared))
        self.reset_meter()
        _tidy(rows)
        self.accounts: dict[str, Account] = {}
        self.wait = 0.0  # seconds that each call takes
        self.member_stream: list[str] = []  # the accounts whose items changed
        self.findings_stream: list[Json] = []
        self._caller = local()
        self._lock = RLock()
        self._regions: dict[str, set[str]] = defaultdict(set)
        self._templates: dict[Any, bytes] = {}
        self._first = {operation: list(_of_first(listed)) for operation, listed in rows.items()}
        self.table_with_default_route = next(
            str(each["RouteTableId"])
            for each in rows["DescribeRouteTables"]
            if any(it.get("DestinationCidrBlock") == ANYWHERE for it in each["Routes"])
        )
        self.delete_default_routes()
        self._states: dict[Any, Mapping[str, list[Json]]] = {}

    def _intercept(self, request: Any, event_name: str, **more: Any) -> Any:
        header = request.headers.get("Authorization", b"")
        text = header.decode() if isinstance(header, bytes) else str(header)
        found = CREDENTIAL.search(text)
        self._caller.account = (found and found[1]) or ACCOUNT
        return super()._intercept(request, event_name, **more)

    def answer(self, service: str, operation: str, request: str) -> tuple[int, bytes]:
        """Return the status and body of the answer to a request body."""
        with self._lock:
            started = time.thread_time()
            try:
                if service == "sts":
                    self.calls[f"{service}:{operation}"] += 1
                    answer = 200, self.assume_role(dict(parse_qsl(request)))
                else:
                    answer = super().answer(service, operation, request)
            except AwsError as error:
                answer = error.status, _build_error(service, error.code)
                self.answering += time.thread_time() - started
        if self.wait:
            time.sleep(self.wait)
        return answer

    def _call_ec2(self, operation: str, query: Mapping[str, str]) -> bytes:
        account = self.accounts[self._caller.account]
        if account.fault is Fault.EC2:
            raise AwsError(account.fault, 403)
        if account.fault is Fault.THROTTLED:
            raise AwsError(account.fault, 503)
        if operation in SHARED or not account.is_small:
            return super()._call_ec2(operation, query)
        ends = [account.end_of_ids(at) for at in range(len(ENDS))]
        asked = json.dumps(sorted(query.items()))
        for end, placeholder in zip(ends, ENDS, strict=True):
            asked = asked.replace(end, placeholder)
        states = tuple((each.open, each.routed) for each in account.states)
        key = operation, asked, states
        if key not in self._templates:
            rows = self._build_rows(states)
            self._templates[key] = self._render(operation, dict(json.loads(asked)), rows)
        body = self._templates[key].replace(ACCOUNT.encode(), account.id.encode())
        for end, placeholder in zip(ends, ENDS, strict=True):
            body = body.replace(placeholder.encode(), end.encode())
        return body

    def _build_rows(self, states: tuple[tuple[bool, bool], ...]) -> Mapping[str, list[Json]]:
        """Return the rows of two VPCs in these states."""
        if states not in self._states:
            self._states[states] = {
                operation: [
                    _edit(operation, json.loads(ID.sub(rf"\g<1>{end}", row)), *state)
                    for end, state in zip(ENDS, states, strict=True)
                    for row in listed
                ]
                for operation, listed in self._first.items()
            }
        return self._states[states]

    def assume_role(self, query: Mapping[str, str]) -> bytes:
        """Return the credentials of a role, whose key names its account."""
        account = query["RoleArn"].split(":")[4]
        if account not in self.accounts or self.accounts[account].fault is Fault.ROLE:
            raise AwsError(Fault.ROLE, 403)
        return build_credentials(account)

    def _query(self, request: Json) -> list[Json]:
        if request.get("IndexName") != "by-region":
            return super()._query(request)
        (region,) = (each["S"] for each in request["ExpressionAttributeValues"].values())
        table = self.tables["findings"]
        scopes = {each: table[each] for each in sorted(self._regions[region])}
        self.tables["findings"] = defaultdict(dict, scopes)
        try:
            return super()._query(request)
        finally:
            self.tables["findings"] = table

    def _call_dynamodb(self, operation: str, request: Json) -> Json:
        table, values = request.get("TableName"), request.get("ExpressionAttributeValues", {})
        if (operation, table, values.get(":key")) == ("Query", "baseline", {"S": "member"}):
            return self._list_members(request)
        return super()._call_dynamodb(operation, request)

    def _list_members(self, request: Json) -> Json:
        """Return a page of the members, with the attributes that are asked for."""
        members = self.tables["baseline"]["member"]
        start = request.get("ExclusiveStartKey", {"name": {"S": ""}})["name"]["S"]
        names = request["ExpressionAttributeNames"]
        wanted = [
            names[each] for each in request.get("ProjectionExpression", "").split(", ") if each
        ]
        page: Json = {"Items": []}
        size = 0
        for account in sorted(each for each in members if each > start):
            item = members[account]
            size += measure_item(item)
            page["Items"].append({each: item[each] for each in wanted or item if each in item})
            if size > PAGE:
                page["LastEvaluatedKey"] = {"kind": {"S": "member"}, "name": {"S": account}}
                break
        self.units["read"] += ceil(size / READ) * (1.0 if request.get("ConsistentRead") else 0.5)
        return page

    def _put(self, table: str, item: Json) -> None:
        super()._put(table, item)
        self._note(table, item)
        if table == "findings" and item.get("kind", {}).get("S") in {"finding", "transient"}:
            self.findings_stream.append(item)

    def _update(self, request: Json) -> None:
        super()._update(request)
        self._note(request["TableName"], self._find(request["TableName"], request["Key"]))

    def _note(self, table: str, item: Json) -> None:
        """Index a scope record; record a change of a member in the stream of its table."""
        if table == "findings" and "head_of" in item:
            self._regions[item["head_of"]["S"]].add(item["scope"]["S"])
        elif table == "baseline" and item["kind"]["S"] == "member":
            self.member_stream.append(item["name"]["S"])


def build_credentials(account: str) -> bytes:
    """Return the credentials of a role, whose key names its account."""
    return (
        "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
        f"<AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    ).encode()


def _tidy(rows: Mapping[str, list[Json]]) -> None:
    """Let the VPCs have no findings: most of an organization has few."""
    gateways = {}
    for endpoint in rows["DescribeVpcEndpoints"]:
        endpoint["PolicyDocument"] = json.dumps(POLICY)
        if endpoint["VpcEndpointType"] == "Gateway":
            gateways[endpoint["VpcId"]] = endpoint
    tables = rows["DescribeRouteTables"]
    (route,) = [
        each
        for each in tables[0]["Routes"] + tables[1]["Routes"] + tables[2]["Routes"]
        if "DestinationPrefixListId" in each
    ]
    for table in tables:
        gateway = gateways[table["VpcId"]]
        if not any("DestinationPrefixListId" in each for each in table["Routes"]):
            table["Routes"].append({**route, "GatewayId": gateway["VpcEndpointId"]})
            gateway["RouteTableIds"].append(table["RouteTableId"])


def _complete_lists(shared: Json) -> Json:
    """Return the prefix lists with their entries, as AWS lists them and moto does not."""
    lists = [
        each
        | {
            "Cidrs": [
                entry["Cidr"]
                for entry in shared[f"GetManagedPrefixListEntries{each['PrefixListId']}"]["Entries"]
            ]
        }
        for each in shared["DescribePrefixLists"]["PrefixLists"]
    ]
    return shared | {"DescribePrefixLists": {"PrefixLists": lists}}


def _of_first(rows: list[Json]) -> Iterator[str]:
    """Yield the rows of the first VPC of many that were copied, as JSON."""
    for text in (json.dumps(row, default=str) for row in rows):
        if any(each.group().endswith("000000") for each in ID.finditer(text)):
            yield text


def _edit(operation: str, row: Json, is_open: bool, routed: bool) -> Json:
    """Return a row as it is in this state of its VPC."""
    if operation == "DescribeRouteTables" and not routed:
        kept = [each for each in row["Routes"] if each.get("DestinationCidrBlock") != ANYWHERE]
        row = {**row, "Routes": kept}
    if operation == "DescribeSecurityGroups" and is_open and row["GroupName"] == "g0":
        row = {**row, "IpPermissions": [*row["IpPermissions"], OPEN]}
    return row


def _build_error(service: str, code: str) -> bytes:
    code = f"<Code>{code}</Code><Message>no</Message>"
    if service == "sts":
        return f"<ErrorResponse><Error>{code}</Error></ErrorResponse>".encode()
    return f"<Response><Errors><Error>{code}</Error></Errors></Response>".encode()
