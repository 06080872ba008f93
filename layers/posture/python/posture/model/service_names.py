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
    """Give what comes after the region in AWS's own services' names; else the name itself."""
    if CUSTOM_SERVICE_NAME.fullmatch(service_name):
        return service_name
    parts = service_name.split(".")
    for number, part in enumerate(parts[:-1]):
        if REGION.fullmatch(part):
            return ".".join(parts[number + 1 :])
    return service_name


def find_region(service_name: str) -> str | None:
    """Give the region in a service's name; None for a global service."""
    return next((part for part in service_name.split(".") if REGION.fullmatch(part)), None)
