"""The services of the shared network, answering from rows that a test gives for each account.

Requests pass botocore's validation, and answers are held against botocore's models of them, so that
no test knows a member that AWS does not return. Long answers come in pages.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from threading import Lock
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError
from botocore.model import OperationModel, ServiceModel, StructureShape
from botocore.paginate import Paginator
from botocore.validate import ParamValidator

from posture.organization.clients import Pace, Rate, ServiceClients
from posture.runtime.clients import complete_models

Json = dict[str, Any]

# The list of rows in an answer, the parameter that selects rows, and the member it selects by.
OPERATIONS: Mapping[str, tuple[str, str]] = {
    "DescribeVpcs": ("Vpcs", ""),
    "DescribeVpcEndpointServices": ("ServiceDetails", ""),
    "DescribeTransitGateways": ("TransitGateways", ""),
    "DescribeTransitGatewayAttachments": ("TransitGatewayAttachments", ""),
    "DescribeTransitGatewayVpcAttachments": ("TransitGatewayVpcAttachments", ""),
    "DescribeTransitGatewayPeeringAttachments": ("TransitGatewayPeeringAttachments", ""),
    "DescribeTransitGatewayRouteTables": ("TransitGatewayRouteTables", ""),
    "SearchTransitGatewayRoutes": ("Routes", "TransitGatewayRouteTableId"),
    "GetTransitGatewayPrefixListReferences": (
        "TransitGatewayPrefixListReferences",
        "TransitGatewayRouteTableId",
    ),
    "GetManagedPrefixListEntries": ("Entries", "PrefixListId"),
    "DescribeVpcPeeringConnections": ("VpcPeeringConnections", ""),
    "ListHostedZones": ("HostedZones", ""),
    "ListHostedZonesByVPC": ("HostedZoneSummaries", "VPCId"),
    "GetHostedZone": ("VPCs", "Id"),
    "ListResourceRecordSets": ("ResourceRecordSets", "HostedZoneId"),
    "ListResolverRules": ("ResolverRules", ""),
    "ListResolverRuleAssociations": ("ResolverRuleAssociations", ""),
    "ListResolverEndpoints": ("ResolverEndpoints", ""),
    "ListResolverEndpointIpAddresses": ("IpAddresses", "ResolverEndpointId"),
    "ListProfiles": ("ProfileSummaries", ""),
    "ListProfileAssociations": ("ProfileAssociations", ""),
    "ListProfileResourceAssociations": ("ProfileResourceAssociations", "ProfileId"),
    "ListCoreNetworks": ("CoreNetworks", ""),
    "GetCoreNetwork": ("CoreNetwork", "CoreNetworkId"),
    "ListAttachments": ("Attachments", "CoreNetworkId"),
    "GetVpcAttachment": ("VpcAttachment", "AttachmentId"),
    "GetNetworkRoutes": ("NetworkRoutes", "RouteTableIdentifier"),
}
# Members of an answer that AWS always returns, and no survey reads.
ALWAYS: Mapping[str, Json] = {
    "ListHostedZones": {"Marker": "", "MaxItems": "100"},
    "ListHostedZonesByVPC": {"MaxItems": "100"},
    "ListResourceRecordSets": {"MaxItems": "300"},
}
PAGE = 100
_NOTHING = StructureShape("Nothing", {"type": "structure", "members": {}})


class NetworkServices:
    """Rows by account and operation; operations that are denied, throttled or fail by a code."""

    def __init__(self, region: str = "eu-west-1") -> None:
        self.region = region
        self.rows: dict[tuple[str, str, str], list[Json]] = defaultdict(list)
        self.errors: dict[tuple[str, str], str | Exception] = {}
        self.calls: Counter[tuple[str, str]] = Counter()
        self.page = PAGE
        self._lock = Lock()

    def add(self, account: str, operation: str, *rows: Json, of: str = "") -> None:
        """Add rows to what an account sees by an operation; `of` is the id that selects them."""
        self.rows[account, operation, of].extend(rows)

    def replace(self, account: str, operation: str, *rows: Json, of: str = "") -> None:
        """Replace the rows that an account sees by an operation."""
        self.rows[account, operation, of] = list(rows)

    def fail(self, account: str, error: str | Exception, *operations: str) -> None:
        """Let operations of an account answer with an error code, or raise an exception."""
        for each in operations:
            self.errors[account, each] = error

    def open_account(self, account: str) -> ServiceClients:
        """Open the clients of an account, as the survey asks for them."""
        return ServiceClients(lambda service: _Client(self, account, service), _NoPace)

    def answer(self, account: str, model: OperationModel, parameters: Json) -> Json:
        """Answer a request that botocore would send, as botocore would parse the answer."""
        report = ParamValidator().validate(parameters, model.input_shape or _NOTHING)
        if report.has_errors():
            raise ParamValidationError(report=report.generate_report())
        return self._answer(account, model, parameters)

    def _answer(self, account: str, model: OperationModel, parameters: Json) -> Json:
        name = model.name
        with self._lock:
            self.calls[account, name] += 1
        if error := self.errors.get((account, name)):
            if isinstance(error, Exception):
                raise error
            response: Any = {
                "Error": {"Code": error, "Message": "as the test asks for"},
                "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "1"},
            }
            raise ClientError(response, name)
        member, selector = OPERATIONS[name]
        rows = self.rows[account, name, select(parameters.get(selector, ""))]
        answer = self._build_answer(model, member, rows, parameters)
        if (
            report := ParamValidator()
            .validate(answer, model.output_shape or _NOTHING)
            .generate_report()
        ):
            raise AssertionError(f"{name} does not answer so: {report}")
        return {**answer, "ResponseMetadata": {"HTTPStatusCode": 200, "RequestId": "1"}}

    def _build_answer(
        self, model: OperationModel, member: str, rows: list[Json], parameters: Json
    ) -> Json:
        name = model.name
        if name in {"GetCoreNetwork", "GetVpcAttachment"}:
            return {member: rows[0]}
        if name == "GetHostedZone":
            zone = {"Id": parameters["Id"], "Name": "example.", "CallerReference": "1"}
            return {"HostedZone": zone, **({"VPCs": rows} if rows else {})}
        start = int(parameters.get("NextToken") or parameters.get("Marker") or _start(parameters))
        page, rest = rows[start : start + self.page], len(rows) > start + self.page
        answer: Json = {**ALWAYS.get(name, {}), member: page}
        following = str(start + self.page)
        if name == "ListHostedZones":
            answer |= {"IsTruncated": rest, **({"NextMarker": following} if rest else {})}
        elif name == "ListResourceRecordSets":
            answer |= {"IsTruncated": rest, **({"NextRecordName": following} if rest else {})}
        elif rest:
            answer["NextToken"] = following
        if name == "SearchTransitGatewayRoutes":
            answer["AdditionalRoutesAvailable"] = rest
        return answer


class _Client:
    """What botocore's client of a service is to the survey: methods, pages, the service's model."""

    def __init__(self, services: NetworkServices, account: str, service: str) -> None:
        model, self._pages = _load_models(service)
        events = SimpleNamespace(register=lambda *_: None)
        self.meta = SimpleNamespace(service_model=model, events=events)
        self._services, self._account = services, account
        self._names = {xform_name(each): each for each in model.operation_names}

    def can_paginate(self, name: str) -> bool:
        return self._names[name] in self._pages

    def get_paginator(self, name: str) -> "Paginator[Json]":
        operation = self._names[name]
        model = self.meta.service_model.operation_model(operation)
        return Paginator(getattr(self, name), self._pages[operation], model)

    def __getattr__(self, name: str) -> Callable[..., Json]:
        model = self.meta.service_model.operation_model(self._names[name])
        return lambda **parameters: self._services.answer(self._account, model, parameters)


@lru_cache
def _load_models(service: str) -> tuple[ServiceModel, Json]:
    """Load the models of a service, as the functions and the command know them."""
    session = complete_models(botocore.session.get_session())
    loader = session.get_component("data_loader")
    pages = loader.load_service_model(service, "paginators-1")["pagination"]
    return session.get_service_model(service), pages


class _NoPace(Pace):
    """Does not wait: the rows are in this process."""

    def __init__(self, rate: Rate) -> None:
        super().__init__(rate, clock=lambda: 0.0, sleep=lambda _: None)


def _start(parameters: Json) -> str:
    return str(parameters.get("StartRecordName", 0))


def select(value: Any) -> str:
    """Return the id that a parameter selects rows by: of a zone, table or segment."""
    if isinstance(value, Mapping):
        edge = value["CoreNetworkSegmentEdge"]
        return f"{edge['CoreNetworkId']}/{edge['SegmentName']}/{edge['EdgeLocation']}"
    return str(value)


def count_calls(services: NetworkServices, operations: Iterable[str]) -> int:
    """Count the requests for some operations in all accounts."""
    wanted = set(operations)
    return sum(number for (_, name), number in services.calls.items() if name in wanted)
