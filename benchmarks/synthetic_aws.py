"""AWS as these measurements need it: answers from memory in no time, over botocore's own wire.

moto answers 3,000 VPCs in minutes, which would be a measurement of moto. Here a world of one VPC is
read from moto once, copied as often as wanted, and each answer is the bytes that AWS would send:
botocore serialises, signs, parses and retries as ever, only the network is left out. Pages are as
long as EC2's. An injected latency makes each call take as long as over a network.
"""

from __future__ import annotations

import json
import operator
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import boto3
from botocore.awsrequest import AWSResponse
from botocore.model import ListShape, Shape, StructureShape

ACCOUNT, REGION = "111122223333", "eu-west-1"
ID = re.compile(
    r"\b(vpc|subnet|rtb|rtbassoc|vpce|sg|sgr|acl|aclassoc|eni|igw|nat)-[0-9a-f]{8,17}\b"
)
SHARED = {"DescribeVpcEndpointServices", "DescribePrefixLists", "GetManagedPrefixListEntries"}
PAGES = {"DescribeRouteTables": 100}
LISTS = {
    "DescribeVpcs": "Vpcs",
    "DescribeSubnets": "Subnets",
    "DescribeRouteTables": "RouteTables",
    "DescribeVpcEndpoints": "VpcEndpoints",
    "DescribeSecurityGroups": "SecurityGroups",
    "DescribeNetworkAcls": "NetworkAcls",
    "DescribeNatGateways": "NatGateways",
    "DescribeNetworkInterfaces": "NetworkInterfaces",
}

COMPARED = {"<": operator.lt, "<=": operator.le, "=": operator.eq}
# What index by-region of template.yaml holds of a head.
PROJECTED = {"scope", "item", "head_of", "observed_at", "revision", "commit", "counts"} | {
    "ownership_digest",
    "dns",
}
KEYS = {
    "findings": ("scope", "item"),
    "history": ("scope", "entry"),
    "baseline": ("kind", "name"),
    "ownership": ("resource", "scope"),
    "idempotency": ("id",),
}

Json = dict[str, Any]
Taped = tuple[str, str, int, bytes]  # operation, request, and the answer's status and body

# Before anything of the monitor is imported: its logger reads its level then.
os.environ.update(
    AWS_ACCESS_KEY_ID="measured",
    AWS_SECRET_ACCESS_KEY="measured",
    AWS_DEFAULT_REGION=REGION,
    MOTO_ACCOUNT_ID=ACCOUNT,
    POWERTOOLS_LOG_LEVEL="CRITICAL",
    BOTO_DISABLE_CRT="true",  # Lambda has none; where one is installed it would sign
)


class Raw:
    """The body of an answer that is there already."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        """Give it whole."""
        yield self._body


class RefusedError(Exception):
    """A condition does not hold; `answer` is what DynamoDB says then."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.answer: Json = {"__type": f"com.amazonaws.dynamodb.v20120810#{error}", **more}


class SyntheticAws:
    """EC2, DynamoDB and SNS for the clients of a session; counts calls, adds a latency to each."""

    def __init__(
        self, session: boto3.Session, rows: Mapping[str, list[Json]], shared: Json
    ) -> None:
        self.latency = 0.0
        self.calls: Counter[str] = Counter()
        self.tables: dict[str, dict[str, dict[str, Json]]] = defaultdict(lambda: defaultdict(dict))
        self.messages: list[Json] = []
        self.answering = 0.0  # seconds of CPU spent in here, which are not the monitor's
        self.tape: list[Taped] | None = None
        self._rows = rows
        self._shared = shared
        self._bytes: dict[Any, bytes] = {}
        self._model = session.client("ec2", region_name=REGION).meta.service_model
        session.events.register_first("before-send", cast("Any", self._intercept))

    def rows(self, operation: str) -> list[Json]:
        """Give what a Describe lists."""
        return self._rows[operation]

    def delete_default_routes(self) -> None:
        """Take every route to the internet away, in all VPCs."""
        for table in self._rows["DescribeRouteTables"]:
            table["Routes"] = [
                route
                for route in table["Routes"]
                if route.get("DestinationCidrBlock") != "0.0.0.0/0"
            ]
        self._bytes.clear()

    def answer(self, service: str, operation: str, asked: str) -> tuple[int, bytes]:
        """Give the status and the body of an answer to the body of a request."""
        started, status = time.thread_time(), 200
        self.calls[f"{service}:{operation}"] += 1
        if service == "ec2":
            body = self._ec2(operation, dict(parse_qsl(asked)))
        elif service == "sns":
            self.messages.append(dict(parse_qsl(asked)))
            body = b"<R><PublishResult><MessageId>m</MessageId></PublishResult></R>"
        else:
            try:
                answer = self._dynamodb(operation, json.loads(asked))
            except RefusedError as refused:
                answer, status = refused.answer, 400
            body = json.dumps(answer).encode()
        if self.tape is not None:
            self.tape.append((f"{service}:{operation}", asked, status, body))
        self.answering += time.thread_time() - started
        if self.latency:
            time.sleep(self.latency)
        return status, body

    def _intercept(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        service, operation = event_name.split(".")[1:3]
        status, body = self.answer(service, operation, _text(request.body))
        return AWSResponse(request.url, status, {}, Raw(body))  # type: ignore[arg-type]

    def _ec2(self, operation: str, query: Mapping[str, str]) -> bytes:
        key = (operation, tuple(sorted(query.items())))
        if key not in self._bytes:
            self._bytes[key] = self._rendered(operation, query)
        return self._bytes[key]

    def _rendered(self, operation: str, query: Mapping[str, str]) -> bytes:
        shape = self._model.operation_model(operation).output_shape
        if operation in SHARED:
            name = query.get("PrefixListId", "")
            return _xml(operation, shape, self._shared[operation + name])
        if operation == "DescribeVpcAttribute":
            name = query["Attribute"]
            answer = {"VpcId": query["VpcId"], name[0].upper() + name[1:]: {"Value": True}}
            return _xml(operation, shape, answer)
        if operation not in LISTS:
            return _xml(operation, shape, {})
        wanted = {value for name, value in query.items() if ".Value." in name}
        rows = [row for row in self._rows[operation] if not wanted or wanted & _ids(row)]
        start = int(query.get("NextToken", 0))
        end = start + int(query.get("MaxResults", PAGES.get(operation, 1000)))
        page: Json = {LISTS[operation]: rows[start:end]}
        if end < len(rows):
            page["NextToken"] = str(end)
        return _xml(operation, shape, page)

    def _dynamodb(self, operation: str, asked: Json) -> Json:  # noqa: C901 - one line an operation
        if operation == "GetItem":
            partition, key = _keys(asked["TableName"], asked["Key"])
            item = self.tables[asked["TableName"]][partition].get(key)
            return {"Item": item} if item else {}
        if operation == "Query":
            return {"Items": self._queried(asked)}
        if operation == "PutItem":
            self._put(asked["TableName"], asked["Item"])
        elif operation == "UpdateItem":
            if not self._allowed(asked):
                raise RefusedError("ConditionalCheckFailedException")
            self._update(asked)
        elif operation == "BatchWriteItem":
            for table, writes in asked["RequestItems"].items():
                for write in writes:
                    self._put(table, write["PutRequest"]["Item"])
            return {"UnprocessedItems": {}}
        elif operation == "TransactWriteItems":
            self._check(asked["TransactItems"])
            for write in asked["TransactItems"]:
                if "Put" in write:
                    self._put(write["Put"]["TableName"], write["Put"]["Item"])
                else:
                    self._update(write["Update"])
        return {}

    def _check(self, writes: list[Json]) -> None:
        """Refuse a transaction in which some head's condition does not hold."""
        codes = [
            "None" if "Put" in write or self._allowed(write["Update"]) else "ConditionalCheckFailed"
            for write in writes
        ]
        if set(codes) != {"None"}:
            reasons = [{"Code": code} for code in codes]
            raise RefusedError("TransactionCanceledException", CancellationReasons=reasons)

    def _allowed(self, asked: Json) -> bool:
        """Tell whether an update's condition holds, if any: comparisons, all of which must."""
        partition, key = _keys(asked["TableName"], asked["Key"])
        item = self.tables[asked["TableName"]][partition].get(key, {})
        names, values = asked["ExpressionAttributeNames"], asked["ExpressionAttributeValues"]
        condition = asked.get("ConditionExpression", "")
        if condition.startswith("attribute_not_exists"):
            return not item
        for left, compare, right in re.findall(r"(#\w+) (<=|<|=) ([#:]\w+)", condition):
            stored = item.get(names[left])
            given = values[right] if right in values else item.get(names[right])
            if (
                stored is None
                or given is None
                or not COMPARED[compare](_bare(stored), _bare(given))
            ):
                return False
        return True

    def _queried(self, asked: Json) -> list[Json]:
        table = self.tables[asked["TableName"]]
        values = [next(iter(each.values())) for each in asked["ExpressionAttributeValues"].values()]
        index = asked.get("IndexName")
        if index == "by-region":
            heads = (items.get("#head", {}) for items in table.values())
            return [
                {name: value for name, value in head.items() if name in PROJECTED}
                for head in heads
                if head.get("head_of", {}).get("S") == values[0]
            ]
        if index == "by-scope":
            return list(self.tables["by-scope"][values[0]].values())
        items = table[values[0]]
        if len(values) == 3:
            return [item for key, item in items.items() if values[1] <= key <= values[2]]
        return list(items.values())

    def _put(self, table: str, item: Json) -> None:
        partition, key = _keys(table, item)
        self.tables[table][partition][key] = item
        if table == "ownership":
            self.tables["by-scope"][item["scope"]["S"]][item["resource"]["S"]] = item

    def _update(self, asked: Json) -> None:
        partition, key = _keys(asked["TableName"], asked["Key"])
        item = self.tables[asked["TableName"]][partition].setdefault(key, dict(asked["Key"]))
        names, values = asked["ExpressionAttributeNames"], asked["ExpressionAttributeValues"]
        for name, value in re.findall(r"(#\w+) = (:\w+)", asked["UpdateExpression"]):
            item[names[name]] = values[value]
        for name in re.findall(r"#\w+", asked["UpdateExpression"].partition(" REMOVE ")[2]):
            item.pop(names[name], None)
        if "if_not_exists" in asked["UpdateExpression"]:
            more = int(values.get(":one", {"N": "0"})["N"])
            item["revision"] = {"N": str(int(item.get("revision", {"N": "0"})["N"]) + more)}


def _bare(value: Json) -> Any:
    """Give an attribute value as it compares."""
    ((kind, bare),) = value.items()
    return int(bare) if kind == "N" else bare


def _text(body: Any) -> str:
    return body.decode() if isinstance(body, bytes) else str(body)


def _keys(table: str, item: Json) -> tuple[str, str]:
    """Give the partition and the sort key of an item, or of its key alone."""
    partition, *sort = KEYS[table]
    return str(next(iter(item[partition].values()))), item[sort[0]]["S"] if sort else ""


def _ids(row: Any) -> set[str]:
    return {found.group() for found in ID.finditer(json.dumps(row, default=str))}


def _xml(operation: str, shape: Shape | None, answer: Json) -> bytes:
    return f"<{operation}Response>{_member(shape, answer)}</{operation}Response>".encode()


def _member(shape: Shape | None, value: Any) -> str:
    if isinstance(shape, StructureShape):
        return "".join(
            f"<{_name(member, name)}>{_member(member, value[name])}</{_name(member, name)}>"
            for name, member in shape.members.items()
            if name in value and value[name] is not None
        )
    if isinstance(shape, ListShape):
        return "".join(f"<item>{_member(shape.member, each)}</item>" for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    return escape(value.isoformat() if hasattr(value, "isoformat") else str(value))


def _name(shape: Shape, name: str) -> str:
    return str(shape.serialization.get("name", name))


def copies(rows: Mapping[str, list[Json]], number: int) -> dict[str, list[Json]]:
    """Give the rows of so many VPCs, made from those of one: every id of its own is made new."""
    return {
        operation: [
            json.loads(_renamed(text, f"{index:06x}"))
            for index in range(number)
            for text in (json.dumps(row, default=str) for row in listed)
        ]
        for operation, listed in rows.items()
    }


def _renamed(text: str, suffix: str) -> str:
    return ID.sub(lambda found: f"{found.group()[:-6]}{suffix}", text)
