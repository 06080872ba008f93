"""Links to the AWS Management Console, by partition."""

from __future__ import annotations

import re

from posture.model.scope import Scope
from posture.model.service_names import get_partition

# The domains of the partitions whose consoles are on the internet, after the Region:
# https://docs.aws.amazon.com/general/latest/gr/signin-service.html
DOMAINS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}
# The views of the VPC console by id prefix, as its address bar shows them.
VIEWS = {
    "vpc": "VpcDetails:VpcId",
    "subnet": "SubnetDetails:subnetId",
    "rtb": "RouteTableDetails:RouteTableId",
    "sg": "SecurityGroup:groupId",
    "acl": "NetworkAclDetails:networkAclId",
    "vpce": "EndpointDetails:vpcEndpointId",
    "vpce-svc": "EndpointServices:search",
    "nat": "NatGatewayDetails:natGatewayId",
}
ID = re.compile(r"([a-z]+(?:-svc)?)-[0-9a-z]{1,32}")
EVENT = re.compile(r"[0-9A-Za-z-]{1,64}")
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")


def link_resource(scope: Scope, resource: str) -> str:
    """Return the address of a resource in the VPC console, or "" if it has no view there."""
    found = ID.fullmatch(resource)
    view = VIEWS.get(found[1]) if found else None
    return _link(scope.region, "vpcconsole", f"{view}={resource}") if view else ""


def link_region(region: str) -> str:
    """Return the address of the VPC console in a Region, or "" in an isolated partition."""
    return _link(region, "vpcconsole", "Home:")


def link_event(region: str, event_id: str) -> str:
    """Return the address of an event in CloudTrail's event history, which keeps 90 days."""
    return _link(region, "cloudtrailv2", f"/events/{event_id}") if EVENT.fullmatch(event_id) else ""


def _link(region: str, service: str, fragment: str) -> str:
    domain = DOMAINS.get(get_partition(region))
    if domain is None or not REGION.fullmatch(region):
        return ""
    return f"https://{region}.{domain}/{service}/home?region={region}#{fragment}"
