"""The monitor's own endpoint policies, as deployed, evaluated by the policy library."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from posture.policy import keys
from posture.policy.document import Policy
from posture.policy.evaluate import evaluate
from posture.policy.parse import parse_policy
from posture.policy.request import CallerKind, Request
from posture_cli.demo.demo_run import DemoRun
from posture_cli.embedded.aws import EmbeddedAws
from recorded_calls import Use, create_bucket, recording
from stack_template import PATH

UNTRUSTED = "999988887777"
GATEWAYS = {"dynamodb", "s3"}
BUCKET = "evidence-bucket"


class Deployed:
    """The stack after a demo: the functions' requests, and the endpoint policies by service."""

    def __init__(self, aws: EmbeddedAws, uses: Mapping[str, set[Use]]) -> None:
        self._aws = aws
        endpoints = aws.session.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
        own = {it.physical_id for it in aws.stack.of_type("AWS::EC2::VPCEndpoint").values()}
        self.policies: dict[str, Policy] = {
            it["ServiceName"].rpartition(".")[2]: parse_policy(it["PolicyDocument"])
            for it in endpoints
            if it["VpcEndpointId"] in own
        }
        self.requests = [
            self._request(function, use) for function, used in uses.items() for use in sorted(used)
        ]

    def allows(self, request: Request) -> bool:
        """Return whether the endpoint of the request's service allows it."""
        service = request.action.partition(":")[0]
        return evaluate(self.policies[service], request, gateway=service in GATEWAYS).allowed

    def _request(self, function: str, use: Use) -> Request:
        account = self._aws.account
        name = function.removeprefix("posture-").title()
        role = f"arn:aws:iam::{account}:role/{self._aws.stack.physical_id(f'{name}Role')}"
        context = {
            keys.PRINCIPAL_ARN: (role,),
            keys.PRINCIPAL_ACCOUNT: (account,),
            keys.RESOURCE_ACCOUNT: (account,),
        }
        resource = self._arn(use)
        return Request(
            CallerKind.PRINCIPAL,
            account,
            role,
            name,
            use.action,
            resource,
            account,
            context=context,
        )

    def _arn(self, use: Use) -> str:
        """Return the ARN of a call's resource; most EC2 reads have none."""
        aws = self._aws
        name, slash, index = use.resource.partition("/")
        if use.action == "ec2:GetManagedPrefixListEntries":
            return f"arn:aws:ec2:{aws.region}:{aws.account}:prefix-list/pl-0123456789abcdef0"
        if use.action == "s3:PutObject":
            prefix = f"{aws.stack.name}/{aws.account}/{aws.region}"
            return f"arn:aws:s3:::{BUCKET}/{prefix}/2026/01/31/120000.000000Z.ndjson.gz"
        if name == "*":
            return "*"
        found = aws.stack.physical_id(name)
        if found.startswith("arn:"):
            return found
        return f"arn:aws:dynamodb:{aws.region}:{aws.account}:table/{found}{slash}{index}"


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    """Deploy the stack and run the demo."""
    parameters = {"EvidenceBucket": BUCKET}
    with EmbeddedAws(PATH.parent, parameters=parameters) as aws, recording(aws) as recorder:
        create_bucket(aws, BUCKET)
        demo = DemoRun(aws)
        demo.build()
        list(demo.run())
        aws.sweep()
        yield Deployed(aws, recorder.uses)


def as_caller(request: Request, account: str, arn: str) -> Request:
    """Return the same request by another principal."""
    who: dict[str, Any] = {keys.PRINCIPAL_ARN: (arn,), keys.PRINCIPAL_ACCOUNT: (account,)}
    return replace(request, account=account, principal=arn, context={**request.context, **who})


def test_every_call_of_the_functions_is_allowed(deployed: Deployed) -> None:
    """By the endpoint policy of its service."""
    assert {it.action.partition(":")[0] for it in deployed.requests} == set(deployed.policies)
    assert [it for it in deployed.requests if not deployed.allows(it)] == []


def test_other_principals_are_denied(deployed: Deployed) -> None:
    """Another role of the account, and the role of the same name in another account."""
    for request in deployed.requests:
        other = f"arn:aws:iam::{request.account}:role/Workload"
        assert not deployed.allows(as_caller(request, request.account, other))
        namesake = request.principal.replace(request.account, UNTRUSTED)
        assert not deployed.allows(as_caller(request, UNTRUSTED, namesake))


def test_other_requests_are_denied(deployed: Deployed) -> None:
    """Another action on the resource, and the action on another account's resource."""
    for request in deployed.requests:
        service = request.action.partition(":")[0]
        assert not deployed.allows(replace(request, action=f"{service}:DeleteEverything"))
        theirs = {**request.context, keys.RESOURCE_ACCOUNT: (UNTRUSTED,)}
        resource = request.resource.replace(request.account, UNTRUSTED)
        assert not deployed.allows(
            replace(request, resource=resource, owner=UNTRUSTED, context=theirs)
        )
