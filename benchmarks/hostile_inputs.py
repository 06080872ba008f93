"""What each function is measured with: an AWS, the events, and the function that handles them.

The worst that AWS's quotas and a tenant of a member account allow. `sized_function.py` runs them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs

import boto3
import yaml
from shared_paths import ROOT
from synthetic_aws import REGION, Json, SyntheticAws, count_calls, filter_items
from synthetic_region import build_client, build_region
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from finding_builders import SCOPE, at, opened, verdict
from posture.lifecycle.bounds import bound_verdict
from posture.model.verdict import Evidence, Remediation
from posture.store.scope_evaluation import Evaluation
from posture.store.scope_store import Store
from stack_tables import TABLES

PAGE = 2**20  # bytes of a Query's page
PAYLOAD = 6 * 2**20  # bytes of an event


@dataclass
class Input:
    """An AWS, the events that a function handles, and what its environment has besides."""

    function: str
    aws: SyntheticAws
    events: list[Json]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def memory(self) -> int:
        """The function's memory in MB."""
        return int(self._properties["MemorySize"])

    @property
    def timeout(self) -> int:
        """The function's timeout in seconds."""
        return int(self._properties["Timeout"])

    @property
    def _properties(self) -> Json:
        name = "".join(each.capitalize() for each in self.function.split("_"))
        text = (ROOT / "template.yaml").read_text()
        template = yaml.load(text, Loader=_TemplateLoader)  # noqa: S506 - a safe loader
        properties: Json = template["Resources"][f"{name}Function"]["Properties"]
        return properties


class _TemplateLoader(yaml.SafeLoader):
    """Reads a template, without what its intrinsic functions return."""


_TemplateLoader.add_multi_constructor("!", lambda *_: None)


class Handler(WSGIRequestHandler):
    """Keeps connections open, as AWS does, and logs nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, *_: object) -> None:
        """Log nothing."""


def open_server(given: Input) -> BaseWSGIServer:
    """Open the server of an input's AWS; `GET /calls` returns the calls since the last time."""
    aws = given.aws

    @Request.application
    def answer(request: Request) -> Response:
        if request.path == "/calls":
            calls = json.dumps(count_calls(aws.calls) | {"calls": sum(aws.calls.values())})
            aws.calls.clear()
            return Response(calls)
        body = request.get_data(as_text=True)
        # DynamoDB names the operation in a header, EC2 and SNS in the body.
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        operation = target or parse_qs(body)["Action"][0]
        service = "dynamodb" if target else "sns" if operation == "Publish" else "ec2"
        status, content = aws.answer(service, operation, body)
        return Response(content, status)

    return make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Handler)


class PagedAws(SyntheticAws):
    """A synthetic AWS whose queries return pages of DynamoDB's size."""

    def _call_dynamodb(self, operation: str, request: Json) -> Json:
        if operation != "Query":
            return super()._call_dynamodb(operation, request)
        start = int(request.get("ExclusiveStartKey", {"at": {"N": "0"}})["at"]["N"])
        found, size, page = self._query(request), 0, []
        for item in found[start:]:
            page.append(item)
            size += len(json.dumps(item))
            if size > PAGE:
                break
        end = start + len(page)
        more = {"LastEvaluatedKey": {"at": {"N": str(end)}}} if end < len(found) else {}
        return {"Items": filter_items(request, page), **more}


def build_sweep(vpcs: int) -> Input:
    """A region of this many VPCs."""
    return Input("sweep", build_region(vpcs)[1], [{}])


def build_large_notify(transitions: int) -> Input:
    """One evaluation of one VPC with this many transitions, each as large as it may be."""
    evidence = tuple(
        Evidence(f"{number} <b>\u202e&amp;</b>" + "\u00e9<" * 400, {"tag": "\u202e<\u00e9>" * 99})
        for number in range(40)
    )
    command = "echo '" + "<\u00e9>" * 900 + "'"
    return build_notify(transitions, evidence, command)


def build_notify(transitions: int, evidence: tuple[Evidence, ...] = (), command: str = "") -> Input:
    """One evaluation of one VPC with this many transitions."""
    session = boto3.Session(region_name=REGION)
    aws = PagedAws(session, {}, {})
    plain = (verdict(resource=f"subnet-{number:05}") for number in range(transitions))
    verdicts = [
        bound_verdict(
            replace(
                each,
                evidence=evidence or each.evidence,
                remediation=Remediation("Do this.", command),
            )
        )
        for each in plain
    ]
    store = Store(build_client(session, "dynamodb"), TABLES)
    store.record(Evaluation(SCOPE, at(0)), lambda _: opened(*verdicts))
    return Input("notify", aws, list(_batch(aws)))


def _batch(aws: SyntheticAws) -> Iterator[Json]:
    """Yield the events that Lambda makes of the stream of the findings."""
    items = [
        item
        for each in aws.tables["findings"].values()
        for item in each.values()
        if item.get("kind", {}).get("S") in {"finding", "transient"}
    ]
    records: list[Json] = []
    size = 0
    for number, item in enumerate(items):
        record = {"dynamodb": {"SequenceNumber": str(number), "NewImage": item}}
        weight = len(json.dumps(record))
        if records and (len(records) == 2000 or size + weight > PAYLOAD):
            yield {"Records": records}
            records, size = [], 0
        records.append(record)
        size += weight
    yield {"Records": records}


INPUTS: Mapping[str, Callable[[int], Input]] = {
    "sweep": build_sweep,
    "notify": build_notify,
    "notify-large": build_large_notify,
}
