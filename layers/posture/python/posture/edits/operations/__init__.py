"""The operations that change a network: one frozen class for each, and named after it.

A field is named after the parameter of the operation (`route_table_id` for `RouteTableId`), so that
requests, CloudTrail records and AWS CLI commands lead to the same edit. A parameter that was not
given is None, or empty for a list. An edit may name what an earlier edit of its sequence creates:
the first endpoint that a sequence creates is `vpce-new-1`, the second `vpce-new-2`, and so on; the
prefixes of the ids are EC2's (`sg-new-1`, `rtb-new-1`, `rtbassoc-new-1`, `nat-new-1`).

The services of the operations stand here by name, without the classes of the shared network
(`posture.edits.shared_edit`), which few need.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Mapping

Ids = tuple[str, ...]

EC2 = "ec2"
# The operations that change what VPCs share, with their service as the AWS CLI and boto3 name it.
SHARED_OPERATIONS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "AssociateVPCWithHostedZone",
            "ChangeResourceRecordSets",
            "CreateHostedZone",
            "CreateVPCAssociationAuthorization",
            "DisassociateVPCFromHostedZone",
        ),
        "route53",
    ),
    **dict.fromkeys(("AssociateResolverRule", "DisassociateResolverRule"), "route53resolver"),
    **dict.fromkeys(
        (
            "AssociateProfile",
            "AssociateResourceToProfile",
            "DisassociateProfile",
            "DisassociateResourceFromProfile",
        ),
        "route53profiles",
    ),
    **dict.fromkeys(
        (
            "AcceptTransitGatewayVpcAttachment",
            "AssociateTransitGatewayRouteTable",
            "CreateTransitGatewayRoute",
            "DeleteTransitGatewayRoute",
            "DisableTransitGatewayRouteTablePropagation",
            "DisassociateTransitGatewayRouteTable",
            "EnableTransitGatewayRouteTablePropagation",
            "ModifyTransitGatewayVpcAttachment",
            "ReplaceTransitGatewayRoute",
        ),
        EC2,
    ),
}
SERVICE_NAMES = tuple(dict.fromkeys((EC2, *SHARED_OPERATIONS.values())))


def find_service(kind: type) -> str:
    """Return the service of an edit's class, such as `ec2` or `route53`."""
    return SHARED_OPERATIONS.get(kind.__name__, EC2)
