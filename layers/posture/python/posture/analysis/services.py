"""What a region's catalogue tells of AWS's services, by the names people use.

https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

import re

from posture.model.network import Service, Snapshot

REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")
CUSTOM = re.compile(r"(?:[a-z]+\.)?com\.amazonaws\.vpce\.[a-z0-9-]+\.vpce-svc-[0-9a-f]+")


def named(snapshot: Snapshot, short: str) -> Service | None:
    """Give the service of a short name, as `kms` or `ecr.dkr`; None where the region has none.

    Names begin with `com.amazonaws.REGION.`, in China with `cn.` before, newer ones with
    `aws.` and something.
    """
    found = (
        service
        for name, service in sorted(snapshot.services.items())
        if short_name(name) == short or name == short
    )
    return next(found, None)


def short_name(service_name: str) -> str:
    """Give what comes after the region in AWS's own services' names; else the name itself."""
    if CUSTOM.fullmatch(service_name):
        return service_name
    parts = service_name.split(".")
    for number, part in enumerate(parts[:-1]):
        if REGION.fullmatch(part):
            return ".".join(parts[number + 1 :])
    return service_name


def region_in(service_name: str) -> str | None:
    """Give the region in a service's name; None for a global service."""
    return next((part for part in service_name.split(".") if REGION.fullmatch(part)), None)
