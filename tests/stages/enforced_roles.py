"""Decides each call of the stack's functions as AWS does: by the policies of the deployed stack.

The functions run in `EmbeddedAws`. Before a call leaves botocore, it is decided by the policies of
its role, of the VPC endpoint that it goes through and of a role that it assumes, as CloudFormation
resolved them. A call that they deny is answered with the service's own error. The product's library
for endpoint policies decides each of them; tests/differential compares it with another one.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

from botocore.exceptions import ClientError

from posture.policy import keys
from posture.policy.document import Policy
from posture.policy.evaluate import evaluate
from posture.policy.parse import parse_policy
from posture.policy.request import CallerKind, Request
from posture.runtime import clients
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.functions import EmbeddedFunction
from posture_cli.embedded.stack import Stack
from recorded_calls import list_parts
from stack_template import as_list

ENDPOINTS = {
    "dynamodb": "DynamoDbEndpoint",
    "ec2": "Ec2Endpoint",
    "s3": "S3Endpoint",
    "securityhub": "SecurityHubEndpoint",
    "sns": "SnsEndpoint",
    "sts": "StsEndpoint",
}
GATEWAYS = {"dynamodb", "s3"}
CODES = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError", "sts": "AccessDenied"}
# The ARN of what a call names, where the service has a type of resource for it.
ARNS = {
    "ec2:GetManagedPrefixListEntries": "arn:aws:ec2:{region}:{account}:prefix-list/{PrefixListId}",
    "route53:GetHostedZone": "arn:aws:route53:::hostedzone/{Id}",
    "route53:ListResourceRecordSets": "arn:aws:route53:::hostedzone/{HostedZoneId}",
    "s3:PutObject": "arn:aws:s3:::{Bucket}/{Key}",
    "securityhub:BatchImportFindings": (
        "arn:aws:securityhub:{region}:{account}:product/{account}/default"
    ),
    "sns:Publish": "{TopicArn}",
    "sts:AssumeRole": "{RoleArn}",
}
FUNCTION_ARN = "lambda:sourcefunctionarn"
ATTRIBUTES = "dynamodb:attributes"


def parse_document(document: Mapping[str, Any]) -> Policy:
    """Parse a policy; one of an identity has no principal, one of trust has no resource."""
    absent = {"Principal": "*", "Resource": "*"}
    stated = [{**absent, **each} for each in as_list(document["Statement"])]
    return parse_policy(json.dumps({"Version": "2012-10-17", "Statement": stated}))


@dataclass(frozen=True)
class Caller:
    """A role, what it may do, and the function that uses it."""

    arn: str
    account: str
    policies: tuple[Policy, ...]
    function: str = ""  # its ARN
    inside: bool = True  # whether the function is in the VPC


@dataclass(frozen=True)
class MemberRole:
    """The role that a member account offers."""

    caller: Caller
    trust: Policy


@dataclass
class EnforcedRoles:
    """The policies of a stack, by which the calls of its functions are decided.

    Attributes:
        organization: The accounts of the organization.
        members: The roles that member accounts offer, by ARN.
        refused: Actions that an account denies to everyone, as a service control policy does.
        outside: Whether the functions' credentials are used on another network.
        allowed: Each kind of call that was allowed: its caller and its request.
        denied: What was denied, and why.
    """

    aws: EmbeddedAws
    organization: Mapping[str, str]  # the organization's id by account
    members: dict[str, MemberRole] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)
    outside: bool = False
    allowed: dict[tuple[str, str, str], Request] = field(default_factory=dict)
    denied: list[tuple[str, str, str]] = field(default_factory=list)
    running: str = ""  # the function's name

    def __post_init__(self) -> None:
        stack = self.aws.stack
        listed = self.aws.session.client("iam").get_paginator("list_roles").paginate()
        self._arns = {it["RoleName"]: it["Arn"] for page in listed for it in page["Roles"]}
        self.callers = {
            resource.physical_id: self._read_caller(name)
            for name, resource in stack.of_type("AWS::Lambda::Function").items()
        }
        self._endpoints = {
            service: (
                stack.physical_id(name),
                parse_document(stack.resources[name].properties["PolicyDocument"]),
            )
            for service, name in ENDPOINTS.items()
            if name in stack.resources
        }
        tables = stack.of_type("AWS::DynamoDB::Table").values()
        self._hash_keys = {
            (it.physical_id, index.get("IndexName")): index["KeySchema"][0]["AttributeName"]
            for it in tables
            for index in (it.properties, *it.properties.get("GlobalSecondaryIndexes", ()))
        }

    def add_member(self, stack: Stack, account: str) -> None:
        """Add the role that a stack of `member.yaml` offers in an account."""
        properties = stack.resources["LookRole"].properties
        documents = [each["PolicyDocument"] for each in properties["Policies"]]
        further = stack.of_type("AWS::IAM::RolePolicy").values()
        documents += [each.properties["PolicyDocument"] for each in further]
        arn = stack.outputs["LookRoleArn"]
        caller = Caller(arn, account, tuple(map(parse_document, documents)))
        trust = parse_document(properties["AssumeRolePolicyDocument"])
        self.members[arn] = MemberRole(caller, trust)

    def read_role(self, name: str) -> Caller:
        """Read a role by its logical id, with what its managed policies allow and deny."""
        stack = self.aws.stack
        role = stack.resources[name]
        documents = [each["PolicyDocument"] for each in role.properties.get("Policies", ())]
        for policy in stack.of_type("AWS::IAM::ManagedPolicy").values():
            attached = policy.physical_id in role.properties.get("ManagedPolicyArns", ())
            if attached or role.physical_id in policy.properties.get("Roles", ()):
                documents.append(policy.properties["PolicyDocument"])
        arn = self._arns[role.physical_id]
        return Caller(arn, self.aws.account, tuple(map(parse_document, documents)))

    def _read_caller(self, function: str) -> Caller:
        properties = self.aws.stack.resources[function].properties
        arn = self.aws.functions[self.aws.stack.physical_id(function)].arn
        caller = self.read_role(function.removesuffix("Function") + "Role")
        return replace(caller, function=arn, inside=bool(properties.get("VpcConfig")))

    def build_request(
        self,
        caller: Caller,
        action: str,
        resource: str = "*",
        owner: str = "",
        *,
        outside: bool = False,
        **context: str,
    ) -> Request:
        """Build a request of a role; `outside` of the functions' network.

        Args:
            caller: The role.
            action: The action.
            resource: The ARN of the resource, or `*`.
            owner: The account of the resource; the caller's by default.
            outside: Whether the call comes from another network.
            context: Further condition keys, `_` for their colon.
        """
        owner = owner or caller.account
        service = action.partition(":")[0]
        values = {
            keys.PRINCIPAL_ARN: caller.arn,
            keys.PRINCIPAL_ACCOUNT: caller.account,
            keys.PRINCIPAL_ORG: self.organization.get(caller.account, ""),
            keys.RESOURCE_ACCOUNT: owner,
            keys.RESOURCE_ORG: self.organization.get(owner, ""),
            keys.REQUESTED_REGION: self.aws.region,
            "aws:securetransport": "true",
            FUNCTION_ARN: caller.function,
            **{name.replace("_", ":"): value for name, value in context.items()},
        }
        if caller.inside and not outside and service in self._endpoints:
            values[keys.SOURCE_ENDPOINT] = self._endpoints[service][0]
        return Request(
            CallerKind.PRINCIPAL,
            caller.account,
            caller.arn,
            "session",
            action,
            resource,
            owner,
            context={name: (value,) for name, value in values.items() if value},
        )

    def explain_denied(self, caller: Caller, request: Request) -> str:
        """Explain what denies a request; "" if it is allowed."""
        results = [evaluate(each, request) for each in caller.policies]
        if (caller.account, request.action) in self.refused:
            return "refused by the account"
        if denying := [it.statement for it in results if it.statement and not it.allowed]:
            return f"denied by {denying[0].sid}"
        if not any(it.allowed for it in results):
            return "allowed by no policy of the role"
        if not self.passes_endpoint(request):
            return "not allowed by the endpoint policy"
        if request.action == "sts:AssumeRole":
            role = self.members.get(request.resource)
            trusted = role and evaluate(role.trust, replace(request, resource="*")).allowed
            return "" if trusted else "not trusted by the role, or there is no such role"
        return ""

    def passes_endpoint(self, request: Request) -> bool:
        """Whether the endpoint that a request goes through allows it, if there is one."""
        service = request.action.partition(":")[0]
        endpoint, policy = self._endpoints.get(service, ("", None))
        if not policy or request.context.get(keys.SOURCE_ENDPOINT) != (endpoint,):
            return True
        return evaluate(policy, request, gateway=service in GATEWAYS).allowed

    def check(self, params: Mapping[str, Any], model: Any, role_arn: str = "", **_: Any) -> None:
        """Raise AWS's error if a call that is about to be made is denied."""
        if not self.running or (role_arn and role_arn not in self.members):
            return  # a role is assumed when the request is signed, after this
        service = model.service_model.service_name
        caller = self.callers[self.running]
        if role_arn:
            caller = replace(self.members[role_arn].caller, inside=caller.inside)
        for action, part in list_parts(service, model.name, params):
            request = self._build_from(caller, action, part)
            if why := self.explain_denied(caller, request):
                self.denied.append((self.running, action, why))
                code = CODES.get(service, "AccessDeniedException")
                error: Any = {"Error": {"Code": code, "Message": f"{action}: {why}"}}
                raise ClientError(error, model.name)
            self.allowed[self.running, action, request.resource] = request

    def _build_from(self, caller: Caller, action: str, part: Mapping[str, Any]) -> Request:
        place = {"region": self.aws.region, "account": caller.account}
        resource, context = ARNS.get(action, "*").format(**place, **part), {}
        if action.startswith("dynamodb:"):
            index = part.get("IndexName")
            resource = self.find_table_arn(part["TableName"]) + (f"/index/{index}" if index else "")
            context["dynamodb_leadingkeys"] = self._find_hash_value(part)
        if action == "sts:AssumeRole":
            context["sts_externalid"] = part.get("ExternalId", "")
        fields = resource.split(":")
        owner = fields[4] if action == "sts:AssumeRole" else ""
        request = self.build_request(
            caller, action, resource, owner, outside=self.outside, **context
        )
        if action == "dynamodb:UpdateItem":
            named = (*part["Key"], *part.get("ExpressionAttributeNames", {}).values())
            request = replace(request, context={**request.context, ATTRIBUTES: named})
        return request

    def find_table_arn(self, name: str) -> str:
        """Return the ARN of a table by its name."""
        return f"arn:aws:dynamodb:{self.aws.region}:{self.aws.account}:table/{name}"

    def _find_hash_value(self, part: Mapping[str, Any]) -> str:
        """Find the value of the partition key that a call names."""
        name = self._hash_keys[part["TableName"], part.get("IndexName")]
        held = part.get("Key") or part.get("Item")
        if held is None and "KeyConditionExpression" in part:
            names = part.get("ExpressionAttributeNames", {})
            pairs = re.findall(r"([#\w]+) = (:\w+)", part["KeyConditionExpression"])
            values = part["ExpressionAttributeValues"]
            held = {names.get(attribute, attribute): values[value] for attribute, value in pairs}
        return str(held[name]["S"]) if held else ""


def _separate_handlers(session: Any) -> None:
    """Copy the handlers of a session: those of members share them with the functions' own."""
    session._events = copy.copy(session._events)
    session._components = copy.copy(session._components)
    session._components._components = dict(session._components._components)
    session.register_component("event_emitter", session._events)


@contextmanager
def enforcing(roles: EnforcedRoles) -> Iterator[EnforcedRoles]:
    """Decide each call of the stack's functions, which must not have run before."""
    clients.session().register("before-parameter-build.*.*", cast("Any", roles.check))
    run, assume = EmbeddedFunction.__call__, clients.assume_role

    def run_as(self: EmbeddedFunction, event: Any) -> Any:
        roles.running = self.name
        try:
            return run(self, event)
        finally:
            roles.running = ""

    def assume_and_check(base: Any, role_arn: str, *more: Any, **named: Any) -> Any:
        session = assume(base, role_arn, *more, **named)
        _separate_handlers(session)
        check: Callable[..., None] = partial(roles.check, role_arn=role_arn)
        session.unregister("before-parameter-build.*.*", cast("Any", roles.check))
        session.register("before-parameter-build.*.*", cast("Any", check))
        return session

    EmbeddedFunction.__call__ = run_as  # type: ignore[method-assign]
    clients.assume_role = assume_and_check
    try:
        yield roles
    finally:
        EmbeddedFunction.__call__ = run  # type: ignore[method-assign]
        clients.assume_role = assume
