"""The parts of an endpoint service's name: its region and its short name.

https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

import re

REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")
CUSTOM_SERVICE_NAME = re.compile(
    r"(?:[a-z]+\.)?com\.amazonaws\.vpce\.[a-z0-9-]+\.vpce-svc-[0-9a-f]+"
)


def short_name(service_name: str) -> str:
    """Return the part of an AWS service's name after the region; any other name is unchanged."""
    if CUSTOM_SERVICE_NAME.fullmatch(service_name):
        return service_name
    parts = service_name.split(".")
    for number, part in enumerate(parts[:-1]):
        if REGION.fullmatch(part):
            return ".".join(parts[number + 1 :])
    return service_name


def find_region(service_name: str) -> str | None:
    """Find the region in a service's name; None if it names no region."""
    return next((part for part in service_name.split(".") if REGION.fullmatch(part)), None)


def get_partition(region: str) -> str:
    """Return the AWS partition of a Region."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
