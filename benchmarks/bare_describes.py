"""Read five kinds with boto3 alone: the least that any tool must read. The yardstick for sweeps."""

from typing import Any

PAGE_SIZES = {
    "describe_vpcs": 1000,
    "describe_subnets": 1000,
    "describe_route_tables": 100,
    "describe_vpc_endpoints": 1000,
    "describe_security_groups": 1000,
}


def read_all(ec2: Any, **parameters: Any) -> None:
    """Read every page of the five kinds."""
    for operation, size in PAGE_SIZES.items():
        pages = ec2.get_paginator(operation)
        list(pages.paginate(**parameters, PaginationConfig={"PageSize": size}))


if __name__ == "__main__":
    import boto3  # elsewhere the synthetic AWS imports it, without AWS CRT

    read_all(boto3.client("ec2"))
