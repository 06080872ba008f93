"""Set-ups with the answer that is right for each, built by plain boto3 in any account.

Each case is a resource, the question it is about, and whether it is bad. Only questions that at
least one of the peers asks as well are here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ACCOUNT, FOREIGN, REGION = "111122223333", "999900009999", "eu-west-1"
ORG = "o-a1b2c3d4e5"
ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


@dataclass(frozen=True)
class Case:
    """One resource, and whether the question about it is answered by yes."""

    question: str
    name: str
    resource: str
    bad: bool


def _statement(**changes: Any) -> dict[str, Any]:
    return {**ALLOW, **changes}


def _equals(**keys: str) -> dict[str, Any]:
    return {"StringEquals": {f"aws:{key}": value for key, value in keys.items()}}


DENY_STRANGERS = _statement(
    Effect="Deny", Condition={"StringNotEquals": {"aws:PrincipalOrgID": ORG}}
)
# name -> (statements, whether strangers get in)
POLICIES: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "everybody, in words": ([ALLOW], True),
    "our organisation": ([_statement(Condition=_equals(PrincipalOrgID=ORG))], False),
    "everybody, strangers denied": ([ALLOW, DENY_STRANGERS], False),
    "our account": ([_statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})], False),
    "a foreign account": ([_statement(Principal={"AWS": f"arn:aws:iam::{FOREIGN}:root"})], True),
    "our account by condition": ([_statement(Condition=_equals(PrincipalAccount=ACCOUNT))], False),
    "all but one foreign account": (
        [_statement(Condition={"StringNotEquals": {"aws:PrincipalAccount": FOREIGN}})],
        True,
    ),
    "any organisation": (
        [_statement(Condition={"StringLike": {"aws:PrincipalOrgID": "o-*"}})],
        True,
    ),
    # No request through an endpoint carries aws:SourceIp, so this lets nobody in:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    "from a public address": (
        [_statement(Condition={"IpAddress": {"aws:SourceIp": "203.0.113.7/32"}})],
        False,
    ),
    "nobody": ([_statement(Effect="Deny")], False),
    "everybody who is of a foreign organisation, too": (
        [
            _statement(Condition=_equals(PrincipalOrgID=ORG)),
            _statement(
                Action="secretsmanager:GetSecretValue",
                Condition=_equals(PrincipalOrgID="o-zzzzzzzzzz"),
            ),
        ],
        True,
    ),
}


class Account:
    """Builds the cases."""

    def __init__(self, session: Any) -> None:
        self.ec2 = session.client("ec2")
        self.elb = session.client("elbv2")
        self._blocks = iter(range(1, 250))

    def cases(self) -> Iterator[Case]:
        """Build everything; give each case."""
        yield from self._policies()
        yield from self._zones()
        yield from self._required()
        yield from self._groups()
        yield from self._services()

    def vpc(self) -> tuple[str, list[str]]:
        """Make a VPC with subnets in zones a, a and b."""
        block = next(self._blocks)
        vpc = self.ec2.create_vpc(CidrBlock=f"10.{block}.0.0/16")["Vpc"]["VpcId"]
        self.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnets = [
            self.ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"10.{block}.{at}.0/24", AvailabilityZone=f"{REGION}{zone}"
            )["Subnet"]["SubnetId"]
            for at, zone in enumerate("aab")
        ]
        return vpc, subnets

    def endpoint(self, vpc: str, subnets: list[str], service: str, **more: Any) -> str:
        """Make an interface endpoint."""
        made = self.ec2.create_vpc_endpoint(
            VpcId=vpc,
            VpcEndpointType="Interface",
            ServiceName=f"com.amazonaws.{REGION}.{service}",
            SubnetIds=subnets,
            PrivateDnsEnabled=False,
            **more,
        )
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def _policies(self) -> Iterator[Case]:
        vpc, (a, _, b) = self.vpc()
        made = self.endpoint(vpc, [a, b], "secretsmanager")
        yield Case("strangers get in", "the default policy", made, bad=True)
        for name, (statements, bad) in POLICIES.items():
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            made = self.endpoint(vpc, [a, b], "secretsmanager", PolicyDocument=document)
            yield Case("strangers get in", name, made, bad=bad)

    def _zones(self) -> Iterator[Case]:
        vpc, (a, other, b) = self.vpc()
        for name, subnets, bad in (
            ("two zones", [a, b], False),
            ("one subnet", [a], True),
            ("two subnets of one zone", [a, other], True),
        ):
            yield Case("stands in one zone", name, self.endpoint(vpc, subnets, "sqs"), bad=bad)

    def _required(self) -> Iterator[Case]:
        for name, present, deleted in (
            ("has one", True, False),
            ("has none", False, False),
            ("had one, deleted", True, True),
        ):
            vpc, (a, _, b) = self.vpc()
            if present:
                made = self.endpoint(vpc, [a, b], "ec2")
                if deleted:
                    self.ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
            yield Case("VPC lacks an EC2 endpoint", name, vpc, bad=deleted or not present)

    def _groups(self) -> Iterator[Case]:
        vpc, (a, _, b) = self.vpc()
        for name, ranges, bad in (
            ("the VPC only", {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, False),
            ("0.0.0.0/0", {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, True),
            ("::/0", {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, True),
            (
                "0.0.0.0/0 in two halves",
                {"IpRanges": [{"CidrIp": "0.0.0.0/1"}, {"CidrIp": "128.0.0.0/1"}]},
                True,
            ),
        ):
            group = self.ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)
            permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **ranges}
            self.ec2.authorize_security_group_ingress(
                GroupId=group["GroupId"], IpPermissions=[permission]
            )
            made = self.endpoint(vpc, [a, b], "sns", SecurityGroupIds=[group["GroupId"]])
            yield Case("group open to everybody", name, made, bad=bad)

    def _services(self) -> Iterator[Case]:
        _, (a, _, b) = self.vpc()
        balancer = self.elb.create_load_balancer(Name="nlb", Type="network", Subnets=[a, b])
        arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
        for name, principals, bad in (
            ("nobody", [], False),
            ("everybody", ["*"], True),
            ("our account", [f"arn:aws:iam::{ACCOUNT}:root"], False),
            ("a foreign account", [f"arn:aws:iam::{FOREIGN}:root"], True),
        ):
            made = self.ec2.create_vpc_endpoint_service_configuration(
                NetworkLoadBalancerArns=[arn], AcceptanceRequired=True
            )["ServiceConfiguration"]["ServiceId"]
            if principals:
                self.ec2.modify_vpc_endpoint_service_permissions(
                    ServiceId=made, AddAllowedPrincipals=principals
                )
            yield Case("strangers may connect to a service", name, made, bad=bad)
