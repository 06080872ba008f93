"""Maps the types of the provider awscc whose attributes differ from those of the provider aws.

awscc has the properties of CloudFormation, in snake case.
https://registry.terraform.io/providers/hashicorp/awscc/latest/docs
"""

from __future__ import annotations

from posture.model.network import Facet
from posture_cli.plan.resources import security_groups
from posture_cli.plan.terraform_endpoints import add_endpoint, allow_principals
from posture_cli.plan.terraform_security import read_split
from posture_cli.plan.terraform_values import Values
from posture_cli.plan.values import Unknown

DIRECTIONS = {"security_group_ingress": False, "security_group_egress": True}


def add_group(values: Values) -> None:
    """Add a security group; one without outbound rules of its own keeps EC2's."""
    if not (vpc_id := values.vpc()):
        return
    name = values.get("group_name")
    shown = name if isinstance(name, str) else values.address
    security_groups.add_security_group(values.region, values.id, vpc_id, shown)
    for attribute, egress in DIRECTIONS.items():
        rules = values.blocks(attribute)
        if isinstance(rules, Unknown):
            why = f"the rules of {values.address}: {rules.what}"
            values.region.mark_unknown(vpc_id, Facet.SECURITY_GROUPS, why)
            continue
        listed = list(rules)
        if listed or not egress:
            security_groups.clear_group_rules(values.region, values.id, egress=egress)
        for rule in listed:
            for permission in read_split(rule):
                security_groups.add_group_rule(values.region, values.id, permission, egress=egress)


def add_vpc_endpoint(values: Values) -> None:
    """Add a VPC endpoint, whose policy has another name."""
    add_endpoint(values, policy="policy_document")


def set_permissions(values: Values) -> None:
    """Allow the principals of `awscc_ec2_vpc_endpoint_service_permissions`, and no others."""
    service_id = values.ref("service_id", "endpoint-service")
    if isinstance(service_id, str):
        allow_principals(values, service_id, values.texts("allowed_principals"))
