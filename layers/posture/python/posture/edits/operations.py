"""The services of operations, by name: without the edits of the shared network, which few need."""

from __future__ import annotations

from collections.abc import Mapping

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
