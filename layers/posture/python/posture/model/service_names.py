"""The parts of an endpoint service's name: its region and its short name.

https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

import re
from functools import lru_cache

REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")
# The partitions by the start of their Regions' names, as in botocore's partitions.json.
PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "eusc-": "aws-eusc",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}
PARTITION_REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
}
GLOBAL_PREFIX = "com.amazonaws."
CUSTOM_SERVICE_NAME = re.compile(
    r"(?:[a-z]+\.)?com\.amazonaws\.vpce\.[a-z0-9-]+\.vpce-svc-[0-9a-f]+"
)


@lru_cache(maxsize=4096)
def short_name(service_name: str) -> str:
    """Return the part of an AWS service's name after the region; any other name is unchanged.

    The name of a global service, such as `com.amazonaws.iam`, has no region.
    """
    if CUSTOM_SERVICE_NAME.fullmatch(service_name):
        return service_name
    parts = service_name.split(".")
    for number, part in enumerate(parts[:-1]):
        if REGION.fullmatch(part):
            return ".".join(parts[number + 1 :])
    return service_name.removeprefix(GLOBAL_PREFIX)


@lru_cache(maxsize=4096)
def find_region(service_name: str) -> str | None:
    """Find the region in a service's name; None if it names no region."""
    return next((part for part in service_name.split(".") if REGION.fullmatch(part)), None)


def get_partition(region: str) -> str:
    """Return the AWS partition of a Region."""
    return next((name for start, name in PARTITIONS.items() if region.startswith(start)), "aws")


def get_partition_region(partition: str) -> str:
    """Return a Region of a partition."""
    return PARTITION_REGIONS.get(partition, PARTITION_REGIONS["aws"])
