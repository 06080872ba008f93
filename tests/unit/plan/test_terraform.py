"""A plan's references, values and types, by plans that are built here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from posture_cli.failure import CommandError
from posture_cli.plan.planned import PlannedChange
from posture_cli.plan.terraform import plan_terraform
from posture_cli.plan.terraform_plan import parse_module_path, parse_terraform_plan

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
Json = dict[str, Any]


def create(address: str, known: Json | None = None, **unknown: Any) -> Json:
    """Build the change of a resource that is created."""
    block, _, key = address.partition("[")
    *module, type_, name = block.split(".")
    index = key.rstrip("]").strip('"')
    entry: Json = {"address": address, "mode": "managed", "type": type_, "name": name}
    if module:
        entry["module_address"] = ".".join(module)
    if index:
        entry["index"] = int(index) if index.isdigit() else index
    after_unknown = {"id": True, **unknown}
    entry["change"] = {
        "actions": ["create"],
        "before": None,
        "after": known or {},
        "after_unknown": after_unknown,
    }
    return entry


def configure(address: str, each: Any = None, **references: Any) -> Json:
    """Build the configuration of a block; a list of texts is the references of an expression."""
    expressions = {
        name: {"references": it} if isinstance(it, list) else {"constant_value": it}
        for name, it in references.items()
    }
    found: Json = {"address": address, "expressions": expressions}
    return {**found, "for_each_expression": {"references": each}} if each else found


def plan(changes: Iterable[Json], blocks: Iterable[Json], **more: Any) -> PlannedChange:
    """Plan the changes of one Region."""
    root = {"resources": list(blocks), **more}
    provider = {"aws": {"expressions": {"region": {"constant_value": "eu-west-1"}}}}
    document = {
        "format_version": "1.2",
        "resource_changes": list(changes),
        "configuration": {"provider_config": provider, "root_module": root},
    }
    parsed = parse_terraform_plan(document, "plan.json")
    (change,) = plan_terraform(parsed, "plan.json", observed_at=NOW, account="111122223333")
    return change


def rows(change: PlannedChange, operation: str, reading: int = 0) -> Mapping[str, Any]:
    """Return the rows of an operation by the first member that is an id."""
    key = {"DescribeRouteTables": "RouteTableId", "DescribeVpcEndpoints": "VpcEndpointId"}.get(
        operation, "GroupId"
    )
    return {row[key]: row for row in change.after[reading].rows[operation]}


VPC = create("aws_vpc.a", {"cidr_block": "10.0.0.0/16"})
VPC_CONFIG = configure("aws_vpc.a", cidr_block="10.0.0.0/16")
IN_A = ["aws_vpc.a.id", "aws_vpc.a"]


def subnet(address: str, cidr: str) -> Json:
    """Build a new subnet."""
    known = {"cidr_block": cidr, "availability_zone": "eu-west-1a"}
    return create(address, known, vpc_id=True)


def table(address: str) -> Json:
    """Build a new route table."""
    return create(address, vpc_id=True)


def list_subnets(change: PlannedChange, reading: int = 0) -> dict[str, list[str]]:
    """List the subnets of each route table."""
    return {
        name: [link["SubnetId"] for link in row["Associations"] if "SubnetId" in link]
        for name, row in rows(change, "DescribeRouteTables", reading).items()
    }


def test_reference_to_one_instance_is_resolved() -> None:
    """An index that is a constant is part of the reference."""
    change = plan(
        [
            VPC,
            subnet("aws_subnet.s[0]", "10.0.1.0/24"),
            subnet("aws_subnet.s[1]", "10.0.2.0/24"),
            table("aws_route_table.t"),
            create("aws_route_table_association.x", subnet_id=True, route_table_id=True),
        ],
        [
            VPC_CONFIG,
            configure("aws_subnet.s", vpc_id=IN_A),
            configure("aws_route_table.t", vpc_id=IN_A),
            configure(
                "aws_route_table_association.x",
                subnet_id=["aws_subnet.s[1].id", "aws_subnet.s[1]", "aws_subnet.s"],
                route_table_id=["aws_route_table.t.id", "aws_route_table.t"],
            ),
        ],
    )
    assert list_subnets(change)["rtb-aws_route_table.t"] == ["subnet-aws_subnet.s[1]"]
    assert len(change.after) == 1


def test_index_is_read_in_every_way() -> None:
    """`count.index` may be reversed: each table is tried for each subnet."""
    change = plan(
        [
            VPC,
            *(subnet(f"aws_subnet.s[{at}]", f"10.0.{at}.0/24") for at in (0, 1)),
            *(table(f"aws_route_table.t[{at}]") for at in (0, 1)),
            *(
                create(f"aws_route_table_association.x[{at}]", subnet_id=True, route_table_id=True)
                for at in (0, 1)
            ),
        ],
        [
            VPC_CONFIG,
            configure("aws_subnet.s", vpc_id=IN_A),
            configure("aws_route_table.t", vpc_id=IN_A),
            configure(
                "aws_route_table_association.x",
                subnet_id=["aws_subnet.s", "count.index"],
                route_table_id=["aws_route_table.t", "count.index"],
            ),
        ],
    )
    found = {
        tuple(list_subnets(change, reading)["rtb-aws_route_table.t[0]"])
        for reading in range(len(change.after))
    }
    assert found == {("subnet-aws_subnet.s[0]",), ("subnet-aws_subnet.s[1]",)}
    assert "aws_route_table_association.x.route_table_id" in change.choices[0]


@pytest.mark.parametrize("vpcs", [1, 2])
def test_local_value_may_be_any_resource_of_its_kind(vpcs: int) -> None:
    """With one VPC in the module a local value can mean no other; with two it can."""
    names = "ab"[:vpcs]
    change = plan(
        [
            *(create(f"aws_vpc.{each}", {"cidr_block": "10.0.0.0/16"}) for each in names),
            table("aws_route_table.t"),
        ],
        [
            *(configure(f"aws_vpc.{each}", cidr_block="10.0.0.0/16") for each in names),
            configure("aws_route_table.t", vpc_id=["local.vpc_id"]),
        ],
    )
    assert len(change.after) == vpcs


def test_output_of_a_module_is_followed() -> None:
    """A module's output leads to the resource inside it."""
    inner = {
        "resources": [configure("aws_vpc.a", cidr_block="10.0.0.0/16")],
        "outputs": {"vpc_id": {"expression": {"references": IN_A}}},
    }
    change = plan(
        [
            create("module.net.aws_vpc.a", {"cidr_block": "10.0.0.0/16"}),
            table("aws_route_table.t"),
        ],
        [configure("aws_route_table.t", vpc_id=["module.net.vpc_id", "module.net"])],
        module_calls={"net": {"module": inner}},
    )
    assert rows(change, "DescribeRouteTables")["rtb-aws_route_table.t"]["VpcId"] == (
        "vpc-module.net.aws_vpc.a"
    )


def test_value_that_no_resource_has_is_unknown_and_named() -> None:
    """A policy that only apply tells is left out, which means unknown, and a note names it."""
    known = {"service_name": "com.amazonaws.eu-west-1.s3", "vpc_endpoint_type": "Gateway"}
    change = plan(
        [VPC, create("aws_vpc_endpoint.e", known, vpc_id=True, policy=True)],
        [
            VPC_CONFIG,
            configure("aws_vpc_endpoint.e", vpc_id=IN_A, policy=["random_id.x.hex", "random_id.x"]),
        ],
    )
    endpoint = rows(change, "DescribeVpcEndpoints")["vpce-aws_vpc_endpoint.e"]
    assert "PolicyDocument" not in endpoint
    assert "aws_vpc_endpoint.e.policy is known only after apply." in change.notes


def test_rule_that_the_plan_replaces_is_gone() -> None:
    """The state of a group without inline rules shows the rules of other resources."""
    former = {"cidr_blocks": ["0.0.0.0/0"], "protocol": "tcp", "from_port": 443, "to_port": 443}
    group = {"id": "sg-1", "vpc_id": "vpc-1", "name": "g", "ingress": [former], "egress": []}
    rule = {**former, "security_group_id": "sg-1", "type": "ingress"}
    vpc = {"id": "vpc-1", "cidr_block": "10.0.0.0/16"}

    def keep(address: str, values: Json) -> Json:
        entry = create(address)
        entry["change"] = {"actions": ["no-op"], "before": values, "after": values}
        return entry

    replaced = create("aws_security_group_rule.r", {**rule, "cidr_blocks": ["10.0.0.0/16"]})
    replaced["change"] |= {"actions": ["delete", "create"], "before": {**rule, "id": "sgrule-1"}}
    change = plan(
        [keep("aws_vpc.a", vpc), keep("aws_security_group.g", group), replaced],
        [
            VPC_CONFIG,
            configure("aws_security_group.g", vpc_id=IN_A),
            configure("aws_security_group_rule.r", cidr_blocks=["10.0.0.0/16"]),
        ],
    )
    ingress = rows(change, "DescribeSecurityGroups")["sg-1"]["IpPermissions"]
    assert [each["IpRanges"] for each in ingress] == [[{"CidrIp": "10.0.0.0/16"}]]


def test_awscc_is_read_as_well() -> None:
    """The other provider of endpoints and routes has the properties of CloudFormation."""
    in_vpc = ["awscc_ec2_vpc.a.vpc_id", "awscc_ec2_vpc.a"]
    change = plan(
        [
            create("awscc_ec2_vpc.a", {"cidr_block": "10.0.0.0/16"}, vpc_id=True),
            create("awscc_ec2_route_table.t", vpc_id=True, route_table_id=True),
            create(
                "awscc_ec2_vpc_endpoint.e",
                {"service_name": "com.amazonaws.eu-west-1.s3", "vpc_endpoint_type": "Gateway"},
                vpc_id=True,
                route_table_ids=[True],
                vpc_endpoint_id=True,
            ),
        ],
        [
            configure("awscc_ec2_vpc.a", cidr_block="10.0.0.0/16"),
            configure("awscc_ec2_route_table.t", vpc_id=in_vpc),
            configure(
                "awscc_ec2_vpc_endpoint.e",
                vpc_id=in_vpc,
                route_table_ids=[
                    "awscc_ec2_route_table.t.route_table_id",
                    "awscc_ec2_route_table.t",
                ],
            ),
        ],
    )
    routes = rows(change, "DescribeRouteTables")["rtb-awscc_ec2_route_table.t"]["Routes"]
    assert {"DestinationPrefixListId": "pl-s3", "GatewayId": "vpce-awscc_ec2_vpc_endpoint.e"} in [
        {name: each[name] for name in ("DestinationPrefixListId", "GatewayId") if name in each}
        for each in routes
    ]


def test_vpc_that_the_plan_does_not_manage_stays_unknown() -> None:
    """What others have in an existing VPC is not in the plan."""
    change = plan(
        [create("aws_route_table.t", {"vpc_id": "vpc-0123"})],
        [configure("aws_route_table.t", vpc_id="vpc-0123")],
    )
    missing = {(each.operation, each.of) for each in change.after[0].missing}
    assert ("DescribeRouteTables", "vpc-0123") in missing
    assert ("DescribeNetworkAcls", "vpc-0123") in missing


def test_module_path_keeps_keys_with_dots() -> None:
    """A key of `for_each` may hold dots and brackets."""
    path = parse_module_path('module.a["x.y[0]"].module.b[2].module.c')
    assert path == (("a", "x.y[0]"), ("b", 2), ("c", None))


def test_plan_of_a_later_format_is_refused() -> None:
    """A major version may mean anything else."""
    with pytest.raises(CommandError, match="format_version"):
        parse_terraform_plan({"format_version": "2.0", "configuration": {}}, "plan.json")


def test_ipv6_block_that_amazon_assigns_has_a_stand_in() -> None:
    """A new VPC's IPv6 block is not known, and its subnets' blocks are parts of the stand-in."""
    settings = {"cidr_block": "10.0.0.0/16", "assign_generated_ipv6_cidr_block": True}
    known = {"cidr_block": "10.0.1.0/24", "availability_zone": "eu-west-1a"}
    change = plan(
        [
            create("aws_vpc.a", settings, ipv6_cidr_block=True),
            create("aws_subnet.s", known, vpc_id=True, ipv6_cidr_block=True),
        ],
        [
            configure("aws_vpc.a", cidr_block="10.0.0.0/16", assign_generated_ipv6_cidr_block=True),
            configure(
                "aws_subnet.s",
                vpc_id=IN_A,
                ipv6_cidr_block=["aws_vpc.a.ipv6_cidr_block", "aws_vpc.a"],
            ),
        ],
    )
    (subnet_row,) = change.after[0].rows["DescribeSubnets"]
    blocks = [each["Ipv6CidrBlock"] for each in subnet_row["Ipv6CidrBlockAssociationSet"]]
    assert blocks == ["2001:db8::/64"]
    assert any("Amazon chooses the IPv6 block" in each for each in change.notes)


def test_document_with_a_part_that_only_apply_tells_is_unknown() -> None:
    """The ARN of a new role is no id of a network: the policy stays unknown, not half known."""
    statement = {"actions": ["*"], "resources": ["*"], "principals": [{"type": "AWS"}]}
    document = create("aws_iam_policy_document.p", {"statement": [statement]}, json=True)
    document |= {"address": "data.aws_iam_policy_document.p", "mode": "data"}
    document["change"]["actions"] = ["read"]
    document["change"]["after_unknown"]["statement"] = [{"principals": [{"identifiers": [True]}]}]
    known = {"service_name": "com.amazonaws.eu-west-1.s3", "vpc_endpoint_type": "Gateway"}
    json = ["data.aws_iam_policy_document.p.json", "data.aws_iam_policy_document.p"]
    role = ["aws_iam_role.r.arn", "aws_iam_role.r"]
    block = {"principals": [{"identifiers": {"references": role}}]}
    change = plan(
        [
            VPC,
            create("aws_iam_role.r", arn=True),
            document,
            create("aws_vpc_endpoint.e", known, vpc_id=True, policy=True),
        ],
        [
            VPC_CONFIG,
            configure("aws_iam_role.r"),
            {
                "address": "data.aws_iam_policy_document.p",
                "expressions": {"statement": [block]},
            },
            configure("aws_vpc_endpoint.e", vpc_id=IN_A, policy=json),
        ],
    )
    endpoint = rows(change, "DescribeVpcEndpoints")["vpce-aws_vpc_endpoint.e"]
    assert "PolicyDocument" not in endpoint
