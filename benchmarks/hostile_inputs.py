"""What each function is measured with: an AWS, the events, and the function that handles them.

The worst that AWS's quotas and a tenant of a member account allow. `sized_function.py` runs them.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import cycle
from typing import cast
from urllib.parse import parse_qsl

import boto3
import botocore.session
import yaml
from botocore.exceptions import ClientError
from botocore.model import OperationModel
from lambda_environment import LAYER
from moto.core.model import ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.serialize import get_serializer_class
from policies import HARD, fill
from shared_paths import ROOT
from synthetic_aws import ACCOUNT, REGION, Json, SyntheticAws, count_calls, filter_items
from synthetic_members import build_credentials
from synthetic_region import build_client, build_region
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from finding_builders import NOON, SCOPE, at, opened, verdict
from network_services import OPERATIONS, NetworkServices
from organization_builders import HUB, HUB_ACCOUNT, HUB_TABLE, NAMES, Names, build_organization
from organization_stage import OrganizationStage
from posture.lifecycle.bounds import bound_verdict
from posture.model.member import MemberSource, MemberState
from posture.model.network import Snapshot
from posture.model.verdict import Evidence, Remediation
from posture.runtime.clients import complete_models
from posture.store.members import MemberTable
from posture.store.scope_evaluation import Evaluation
from posture.store.scope_store import Store
from stack_tables import NETWORK, TABLES
from written_network import write_network

PAGE = 2**20  # bytes of a Query's page
CREDENTIAL = re.compile(r"Credential=[A-Za-z]*(\d{12})?/\d+/[\w-]+/(\w+)/")
PAYLOAD = 6 * 2**20  # bytes of an event


@dataclass
class Input:
    """An AWS, the events that a function handles, and what its environment has besides."""

    function: str
    aws: "PagedAws"
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
        return aws.respond(request)

    return make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Handler)


class PagedAws(SyntheticAws):
    """A synthetic AWS behind a server, whose queries return pages of DynamoDB's size."""

    def respond(self, request: Request) -> Response:
        """Answer a request."""
        found = CREDENTIAL.search(request.headers["Authorization"])
        assert found
        return self.respond_to(request, found[2], found[1] or HUB_ACCOUNT)

    def respond_to(self, request: Request, service: str, account: str) -> Response:  # noqa: ARG002
        """Answer a request of an account to a service."""
        if service == "s3":
            self.calls["s3:PutObject"] += 1
            return Response(headers={"ETag": '"0"'})
        body = request.get_data(as_text=True)
        if service == "sts":
            self.calls["sts:AssumeRole"] += 1
            return Response(build_credentials(dict(parse_qsl(body))["RoleArn"].split(":")[4]))
        # DynamoDB names the operation in a header, EC2 and SNS in the body.
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        status, content = self.answer(service, target or dict(parse_qsl(body))["Action"], body)
        return Response(content, status)

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


class NetworkAws(PagedAws):
    """An AWS that has the services of the shared network as well."""

    def __init__(self, session: boto3.Session, services: NetworkServices) -> None:
        super().__init__(session, {}, {})
        self.services = services
        self._models = {}
        loader = complete_models(botocore.session.get_session()).get_component("data_loader")
        for service in ("ec2", "route53", "route53profiles", "route53resolver", "networkmanager"):
            model = ServiceModel(loader.load_service_model(service, "service-2"), service)
            self._models[service] = [
                (model.operation_model(each), _compile(model.operation_model(each)))
                for each in OPERATIONS
                if each in model.operation_names
            ]

    def respond_to(self, request: Request, service: str, account: str) -> Response:
        """Answer a request of an account to a service."""
        if service not in self._models:
            return super().respond_to(request, service, account)
        body = request.get_data(as_text=True)
        query = service == "ec2" and dict(parse_qsl(body))["Action"]
        target = query or request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        model = next(
            model
            for model, path in self._models[service]
            if (target == model.name if target else path.fullmatch(request.path))
            and model.http["method"] == request.method
        )
        self.calls[f"{service}:{model.name}"] += 1
        found = _compile(model).fullmatch(request.path)
        parser = PROTOCOL_PARSERS[model.service_model.protocol](model)
        parameters = parser.parse(
            {
                "body": body,
                "headers": request.headers,
                "method": request.method,
                "url_params": found.groupdict() if found else {},
                "url_path": request.path,
                "values": request.values,
            }
        )
        try:
            answer = self.services.answer(account, model, parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            return Response(_build_error(code, service), 503 if "Limit" in code else 403)
        answer.pop("ResponseMetadata")
        made = get_serializer_class(service, model.service_model.protocol)(model).serialize(answer)
        headers = {**made["headers"], "x-amzn-RequestId": "1"}
        return Response(made["body"], made["status_code"], headers)


def _compile(model: OperationModel) -> re.Pattern[str]:
    path = model.http["requestUri"].partition("?")[0]
    return re.compile(re.sub(r"\{(\w+)\+?\}", r"(?P<\1>.+?)", path))


def _build_error(code: str, service: str) -> str:
    if service in {"ec2", "route53"}:
        text = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
        listed = f"<Response><Errors>{text}</Errors></Response>"
        return listed if service == "ec2" else f"<ErrorResponse>{text}</ErrorResponse>"
    return json.dumps({"__type": code, "message": "no"})


def build_survey(spokes: int) -> Input:
    """A hub of all services and so many spokes; a table of 10,000 routes, which is AWS's quota."""
    organization = build_organization(spokes=spokes, names=Names.ZONES, services=tuple(NAMES))
    shared = organization.shared
    services = NetworkServices(REGION)
    services.page = 1000
    write_network(services, shared)
    for number in range(10_000 - spokes):
        block = f"100.{64 + number // 256}.{number % 256}.0/24"
        route = {"DestinationCidrBlock": block, "Type": "static", "State": "blackhole"}
        services.add(HUB_ACCOUNT, "SearchTransitGatewayRoutes", route, of=HUB_TABLE)
    session = boto3.Session(region_name=REGION)
    aws = NetworkAws(session, services)
    _name_members(session, shared.accounts - {HUB_ACCOUNT})
    models = {"AWS_DATA_PATH": f"{LAYER}/posture/survey/models:{LAYER}/posture/models"}
    return Input("survey", aws, [{}], OF_ORGANIZATION | models)


def build_policies() -> list[str]:
    """Build policies as long as AWS accepts that cost much to decide."""
    return list(filter(None, map(fill, HARD.values())))


def build_export(scopes: int) -> Input:
    """So many scope records."""
    given = build_notify(1)
    tables = given.aws.tables["findings"]
    record = json.dumps(tables[str(SCOPE)]["#head"])
    for number in range(scopes):
        scope = str(replace(SCOPE, subject=f"vpc-{number:08x}"))
        tables[scope]["#head"] = json.loads(record.replace(str(SCOPE), scope))
    bucket = {"EVIDENCE_BUCKET": "evidence", "EVIDENCE_BUCKET_OWNER": "999988887777"}
    return Input("export", given.aws, [{}], bucket)


def build_refresh(spokes: int) -> Input:
    """A hub whose endpoints all got a costly policy, and so many VPCs that use them."""
    services = tuple(NAMES)
    organization = build_organization(spokes=spokes, services=services, region=REGION)
    aws = PagedAws(session := boto3.Session(region_name=REGION), {}, {})
    stage = OrganizationStage(build_client(session, "dynamodb"), organization, create=False)
    _name_members(session, organization.shared.accounts - {HUB_ACCOUNT})
    stage.survey()
    stage.evaluate_all()

    def edit(hub: Snapshot) -> Snapshot:
        policies = cycle(build_policies())
        listed = hub.endpoints.items()
        edited = {name: replace(each, policy=next(policies)) for name, each in listed}
        return replace(hub, endpoints=edited)

    stage.organization = organization.edit_vpc(HUB, edit)
    stage.evaluate(HUB)
    key = {"region": {"S": REGION}, "item": {"S": "#head"}}
    record = {"dynamodb": {"Keys": key, "SequenceNumber": "1"}}
    return Input("refresh", aws, [{"Records": [record]}], OF_ORGANIZATION)


def build_sweep_member(endpoints: int) -> Input:
    """A member with 20 VPCs, in one of which are so many endpoints with costly policies."""
    session, aws = build_region(20, PagedAws)
    assert isinstance(aws, PagedAws)
    policies = cycle(build_policies())
    listed = aws.rows("DescribeVpcEndpoints")
    last = [each for each in listed if each["VpcEndpointType"] == "Interface"][-1]
    for number in range(endpoints):
        name, policy = f"vpce-{0xFEED0000 + number:017x}", next(policies)
        listed.append({**last, "VpcEndpointId": name, "PolicyDocument": policy})
    table = _name_members(session, [ACCOUNT])
    table.ask(ACCOUNT, datetime.now(UTC))
    key = {"kind": {"S": "member"}, "name": {"S": ACCOUNT}}
    record = {"dynamodb": {"Keys": key, "SequenceNumber": "1"}}
    home = {"MONITORED_ACCOUNT": "999988887777", "NETWORK_TABLE": ""}
    return Input("sweep_member", aws, [{"Records": [record]}], OF_ORGANIZATION | home)


def _name_members(session: boto3.Session, accounts: Iterable[str]) -> MemberTable:
    table = MemberTable(build_client(session, "dynamodb"), TABLES.baseline)
    for account in accounts:
        table.put(account, MemberState.ACTIVE, MemberSource.ORGANIZATION, NOON)
    return table


def build_sweep(vpcs: int) -> Input:
    """A region of this many VPCs."""
    return Input("sweep", cast("PagedAws", build_region(vpcs, PagedAws)[1]), [{}])


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


OF_ORGANIZATION = {
    "MONITORED_ACCOUNT": HUB_ACCOUNT,
    "NETWORK_TABLE": NETWORK,
    "MEMBERS": "table",
    "MEMBER_ROLE_NAME": "posture",
    "MEMBER_EXTERNAL_ID": "measured",
}
INPUTS: Mapping[str, Callable[[int], Input]] = {
    "sweep": build_sweep,
    "survey": build_survey,
    "export": build_export,
    "refresh": build_refresh,
    "sweep_member": build_sweep_member,
    "notify": build_notify,
    "notify-large": build_large_notify,
}
