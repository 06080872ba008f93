"""Five kinds read bare, by boto3 alone: the least that anybody needs to read. A yardstick."""

from typing import Any

import boto3

PAGES = {
    "describe_vpcs": 1000,
    "describe_subnets": 1000,
    "describe_route_tables": 100,
    "describe_vpc_endpoints": 1000,
    "describe_security_groups": 1000,
}

ec2: Any = boto3.client("ec2")
for operation, size in PAGES.items():
    list(ec2.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}))
