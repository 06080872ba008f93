"""An AWS for benchmarks that answers from memory, in botocore's wire format.

moto needs minutes for 3,000 VPCs. Here one VPC is read from moto once and copied, and each answer
is the bytes that AWS would send: botocore serializes, signs, parses and retries as usual, only the
network is left out. Pages have EC2's length. A latency can be added to each call.
"""

import json
import operator
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from types import CodeType
from typing import Any, cast
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

# Lambda has no CRT; where it is installed, it would sign. Read when botocore is imported.
os.environ["BOTO_DISABLE_CRT"] = "true"

import boto3
import shared_paths  # noqa: F401
from botocore.awsrequest import AWSResponse
from botocore.model import ListShape, Shape, StructureShape
from urllib3 import HTTPResponse

from stack_tables import KEYS

ACCOUNT, REGION = "111122223333", "eu-west-1"
ID = re.compile(
    r"\b((?:vpc|subnet|rtb|rtbassoc|vpce|sg|sgr|acl|aclassoc|eni|igw|nat)-[0-9a-f]{2,11})[0-9a-f]{6}\b"
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

COMPARED = {"<": operator.lt, "<=": operator.le, "=": operator.eq, ">": operator.gt}
# The projection of index by-region in template.yaml.
PROJECTED = {"scope", "item", "head_of", "observed_at", "revision", "commit", "counts"}
PROJECTED |= {"ownership_digest", "dns"}
Json = dict[str, Any]
RecordedCall = tuple[str, str, int, bytes]  # operation, request, the answer's status and body

# Before the monitor is imported: its logger then reads its level.
os.environ.update(
    AWS_ACCESS_KEY_ID="measured",
    AWS_SECRET_ACCESS_KEY="measured",
    AWS_DEFAULT_REGION=REGION,
    MOTO_ACCOUNT_ID=ACCOUNT,
    POWERTOOLS_LOG_LEVEL="CRITICAL",
)


class DynamoDbError(Exception):
    """A condition failed; `answer` is DynamoDB's."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.answer: Json = {"__type": f"com.amazonaws.dynamodb.v20120810#{error}", **more}


def count_calls(calls: Mapping[str, int]) -> dict[str, int]:
    """Return the calls to EC2, those of them for DNS attributes, and those to DynamoDB."""
    return {
        "ec2": sum(number for call, number in calls.items() if call.startswith("ec2")),
        "dns": calls.get("ec2:DescribeVpcAttribute", 0),
        "dynamodb": sum(number for call, number in calls.items() if call.startswith("dynamodb")),
    }


class SyntheticAws:
    """EC2, DynamoDB and SNS for a session's clients; counts calls and adds a latency to each."""

    def __init__(
        self, session: boto3.Session, rows: Mapping[str, list[Json]], shared: Json
    ) -> None:
        self.latency = 0.0
        self.calls: Counter[str] = Counter()
        self.tables: dict[str, dict[str, dict[str, Json]]] = defaultdict(lambda: defaultdict(dict))
        self.messages: list[Json] = []
        self.answering = 0.0  # seconds of CPU spent here, which are not the monitor's
        self.recording: list[RecordedCall] | None = None
        self._rows = rows
        self._shared = shared
        self._bytes: dict[Any, bytes] = {}
        self._positions: dict[tuple[str, int], dict[str, list[int]]] = {}
        self._model = session.client("ec2", region_name=REGION).meta.service_model
        session.events.register_first("before-send", cast("Any", self._intercept))

    def rows(self, operation: str) -> list[Json]:
        """Return the rows that a Describe lists."""
        return self._rows[operation]

    def delete_default_routes(self) -> None:
        """Delete the default routes of all VPCs."""
        for table in self._rows["DescribeRouteTables"]:
            routes = table["Routes"]
            table["Routes"] = [
                each for each in routes if each.get("DestinationCidrBlock") != "0.0.0.0/0"
            ]
        self._bytes.clear()
        self._positions.clear()

    def answer(self, service: str, operation: str, request: str) -> tuple[int, bytes]:
        """Return the status and body of the answer to a request body."""
        started, status = time.thread_time(), 200
        self.calls[f"{service}:{operation}"] += 1
        if service == "ec2":
            body = self._call_ec2(operation, dict(parse_qsl(request)))
        elif service == "sns":
            self.messages.append(dict(parse_qsl(request)))
            body = b"<R><PublishResult><MessageId>m</MessageId></PublishResult></R>"
        else:
            try:
                answer = self._call_dynamodb(operation, json.loads(request))
            except DynamoDbError as error:
                answer, status = error.answer, 400
            body = json.dumps(answer).encode()
        if self.recording is not None:
            self.recording.append((f"{service}:{operation}", request, status, body))
        self.answering += time.thread_time() - started
        if self.latency:
            time.sleep(self.latency)
        return status, body

    def _intercept(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        service, operation = event_name.split(".")[1:3]
        text = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
        status, body = self.answer(service, operation, text)
        raw = HTTPResponse(BytesIO(body), preload_content=False)
        return AWSResponse(request.url, status, {}, raw)  # type: ignore[arg-type]

    def _call_ec2(self, operation: str, query: Mapping[str, str]) -> bytes:
        key = (operation, tuple(sorted(query.items())))
        if key not in self._bytes:
            self._bytes[key] = self._render(operation, query, self._rows)
        return self._bytes[key]

    def _render(
        self, operation: str, query: Mapping[str, str], all_rows: Mapping[str, list[Json]]
    ) -> bytes:
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
        rows = all_rows[operation]
        if wanted:
            positions = self._index(operation, rows)
            found = {at for each in wanted for at in positions.get(each, ())}
            rows = [rows[at] for at in sorted(found)]
        start = int(query.get("NextToken", 0))
        end = start + int(query.get("MaxResults", PAGES.get(operation, 1000)))
        page: Json = {LISTS[operation]: rows[start:end]}
        if end < len(rows):
            page["NextToken"] = str(end)
        return _xml(operation, shape, page)

    def _index(self, operation: str, rows: list[Json]) -> Mapping[str, list[int]]:
        """Return the positions of the rows that name an id, by id."""
        index = self._positions.get((operation, id(rows)))
        if index is None:
            index = defaultdict(list)
            for at, row in enumerate(rows):
                for each in _ids(row):
                    index[each].append(at)
            self._positions[operation, id(rows)] = index  # whole: calls are made side by side
        return index

    def _call_dynamodb(self, operation: str, request: Json) -> Json:  # noqa: C901, PLR0912 - one branch per operation
        if operation == "GetItem":
            item = self._find(request["TableName"], request["Key"])
            return {"Item": item} if item else {}
        if operation == "BatchGetItem":
            ((table, wanted),) = request["RequestItems"].items()
            found = [self._find(table, key) for key in wanted["Keys"]]
            return {"Responses": {table: [item for item in found if item]}}
        if operation == "Query":
            return {"Items": filter_items(request, self._query(request))}
        if operation == "PutItem":
            self._put(request["TableName"], request["Item"])
        elif operation == "UpdateItem":
            if not self._meets_condition(request):
                raise DynamoDbError("ConditionalCheckFailedException")
            self._update(request)
        elif operation == "BatchWriteItem":
            for table, writes in request["RequestItems"].items():
                for write in writes:
                    self._put(table, write["PutRequest"]["Item"])
            return {"UnprocessedItems": {}}
        elif operation == "TransactWriteItems":
            self._check_conditions(request["TransactItems"])
            for write in request["TransactItems"]:
                if "Put" in write:
                    self._put(write["Put"]["TableName"], write["Put"]["Item"])
                elif "Delete" in write:
                    partition, key = _keys(write["Delete"]["TableName"], write["Delete"]["Key"])
                    self.tables[write["Delete"]["TableName"]][partition].pop(key, None)
                else:
                    self._update(write["Update"])
        return {}

    def _find(self, table: str, keys: Json) -> Json:
        """Return the item with these keys; empty if there is none."""
        partition, key = _keys(table, keys)
        return self.tables[table][partition].get(key, {})

    def _check_conditions(self, writes: list[Json]) -> None:
        """Reject a transaction with a condition that fails."""
        holds = [
            "Update" not in write or self._meets_condition(write["Update"]) for write in writes
        ]
        if not all(holds):
            reasons = [{"Code": "None" if each else "ConditionalCheckFailed"} for each in holds]
            raise DynamoDbError("TransactionCanceledException", CancellationReasons=reasons)

    def _meets_condition(self, request: Json) -> bool:
        """Whether an update's condition holds."""
        item = self._find(request["TableName"], request["Key"])
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]

        def find(name: str) -> Any:
            return _bare(values.get(name) or item.get(names.get(name, "")))

        def compare(left: str, operation: str, right: str) -> bool:
            sides = find(left), find(right)
            return None not in sides and bool(COMPARED[operation](*sides))

        functions = {
            "absent": lambda name: names[name] not in item,
            "present": lambda name: names[name] in item,
            "contains": lambda name, part: find(part) in (find(name) or ""),
            "compare": compare,
        }
        code = _compile_condition(request.get("ConditionExpression", ""))
        return bool(eval(code, functions))  # noqa: S307 - of this program's own conditions

    def _query(self, request: Json) -> list[Json]:
        table = self.tables[request["TableName"]]
        given = request["ExpressionAttributeValues"].values()
        values = [next(iter(each.values())) for each in given]
        index = request.get("IndexName")
        if index == "by-region":
            records = (items.get("#head", {}) for items in table.values())
            return [
                {name: value for name, value in each.items() if name in PROJECTED}
                for each in records
                if each.get("head_of", {}).get("S") == values[0]
            ]
        if index == "all-scopes":
            return [items["#head"] for items in table.values() if "#head" in items]
        if index == "by-scope":
            return list(self.tables["by-scope"][values[0]].values())
        items = table[values[0]]
        if len(values) > 2:
            return [item for key, item in items.items() if values[1] <= key <= values[2]]
        return list(items.values())

    def _put(self, table: str, item: Json) -> None:
        partition, key = _keys(table, item)
        self.tables[table][partition][key] = item
        if table == "ownership":
            self.tables["by-scope"][item["scope"]["S"]][item["resource"]["S"]] = item

    def _update(self, request: Json) -> None:
        partition, key = _keys(request["TableName"], request["Key"])
        item = self.tables[request["TableName"]][partition].setdefault(key, dict(request["Key"]))
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        for name, value in re.findall(r"(#\w+) = (:\w+)", request["UpdateExpression"]):
            item[names[name]] = values[value]
        for name in re.findall(r"#\w+", request["UpdateExpression"].partition(" REMOVE ")[2]):
            item.pop(names[name], None)
        if "if_not_exists" in request["UpdateExpression"]:
            more = int(values.get(":one", {"N": "0"})["N"])
            item["revision"] = {"N": str(int(item.get("revision", {"N": "0"})["N"]) + more)}


def filter_items(request: Json, items: list[Json]) -> list[Json]:
    """Return the items that a query's filter lets pass."""
    if "FilterExpression" not in request:
        return items
    name = request["ExpressionAttributeNames"]["#equal"]
    value = request["ExpressionAttributeValues"][":equal"]
    return [each for each in items if each.get(name) == value]


@cache
def _compile_condition(condition: str) -> CodeType:
    """Compile a condition expression as Python: function calls with `and`, `or` and brackets."""
    text = re.sub(r"attribute_not_exists\((#\w+)\)", r"absent('\1')", condition)
    text = re.sub(r"attribute_exists\((#\w+)\)", r"present('\1')", text)
    text = re.sub(r"contains\((#\w+), (:\w+)\)", r"contains('\1', '\2')", text)
    text = re.sub(r"([#:]\w+) (<=|<|>|=) ([#:]\w+)", r"compare('\1', '\2', '\3')", text)
    return compile(text.replace("AND", "and").replace("OR", "or") or "True", "condition", "eval")


def _bare(value: Json | None) -> Any:
    """Return an attribute value for comparison; None if there is none."""
    ((kind, bare),) = (value or {"NULL": None}).items()
    return int(bare) if kind == "N" else bare


def _keys(table: str, item: Json) -> tuple[str, str]:
    """Return the partition and sort key of an item, or of its key alone."""
    partition, *sort = KEYS[table]
    return str(next(iter(item[partition].values()))), item[sort[0]]["S"] if sort else ""


def _ids(row: Any) -> set[str]:
    return {found.group() for found in ID.finditer(json.dumps(row, default=str))}


def _xml(operation: str, shape: Shape | None, answer: Json) -> bytes:
    content = f"<requestId>r</requestId>{_member(shape, answer)}"
    return f"<{operation}Response>{content}</{operation}Response>".encode()


def _member(shape: Shape | None, value: Any) -> str:
    if isinstance(shape, StructureShape):
        named = [
            (member.serialization.get("name", name), _member(member, value[name]))
            for name, member in shape.members.items()
            if value.get(name) is not None
        ]
        return "".join(f"<{name}>{text}</{name}>" for name, text in named)
    if isinstance(shape, ListShape):
        return "".join(f"<item>{_member(shape.member, each)}</item>" for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    return escape(value.isoformat() if hasattr(value, "isoformat") else str(value))


def copy_rows(rows: Mapping[str, list[Json]], number: int) -> dict[str, list[Json]]:
    """Return the rows of this many VPCs, copied from those of one with new ids."""
    return {
        operation: [
            json.loads(ID.sub(rf"\g<1>{index:06x}", text))
            for index in range(number)
            for text in (json.dumps(row, default=str) for row in listed)
        ]
        for operation, listed in rows.items()
    }
