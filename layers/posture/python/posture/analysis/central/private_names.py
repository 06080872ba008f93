"""List the DNS names of a service that clients use.

https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html#interface-endpoint-private-dns
"""

from __future__ import annotations

from collections.abc import Iterable

from posture.model.network import Endpoint, EndpointType, Service, Snapshot
from posture.model.service_names import CUSTOM_SERVICE_NAME, get_partition, short_name

DOMAINS_OF_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".aws", ".api.amazonwebservices.com.cn")
SUFFIXES = {"aws-cn": "amazonaws.com.cn"}
# https://docs.aws.amazon.com/general/latest/gr/rande.html#dual-stack-endpoints
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html
DUAL_STACK_SUFFIXES = (
    *(".api.aws", ".on.aws"),
    *(".api.amazonwebservices.com.cn", ".on.amazonwebservices.com.cn"),
)
# Names of buckets, access points and S3 Control, which private DNS of an S3 endpoint covers too.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html
S3_NAMES = (
    "s3.{place}",
    "*.s3.{place}",
    "*.s3-accesspoint.{place}",
    "*.s3-control.{place}",
)


def list_names(snapshot: Snapshot, service: Service) -> tuple[str, ...]:
    """List all DNS names of a service: those that EC2 lists, and those that it is known to omit.

    A wildcard, such as `*.dkr.ecr.eu-west-1.amazonaws.com`, stands for each name below it that has
    no records of its own. A service with gateway endpoints has its public name, even if its
    interface endpoints have no private DNS. Another service without private DNS names has none.
    """
    names = list(service.private_dns_names)
    region = snapshot.scope.region
    place = f"{region}.{SUFFIXES.get(get_partition(region), 'amazonaws.com')}"
    short = short_name(service.name)
    if service.name == f"com.amazonaws.{region}.s3":
        names += list_s3_names(region)
    elif not names and EndpointType.GATEWAY in service.types and "-" not in short:
        names.append(f"{short}.{place}")
    return tuple(dict.fromkeys(each.lower().rstrip(".") for each in names))


def list_s3_names(region: str) -> tuple[str, ...]:
    """List the names of S3 in a Region that EC2 does not list, or not all of them."""
    place = f"{region}.{SUFFIXES.get(get_partition(region), 'amazonaws.com')}"
    return tuple(each.format(place=place) for each in S3_NAMES)


def list_own_names(endpoint: Endpoint) -> tuple[str, ...]:
    """List the private names among the DNS names of an endpoint."""
    own = (each.lower().rstrip(".") for each in endpoint.dns_names)
    return tuple(each for each in own if ".vpce." not in each)


def split_names(service: Service, names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split a service's names into those of clients by default, and those that clients opt for.

    Clients that are configured for FIPS or dual-stack endpoints use other names than by default.
    A service that has only such names, such as `kms-fips`, has them by default.
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html
    """
    listed = tuple(names)
    default = [each for each in listed if not _is_fips(each) and not _is_dual_stack(each)]
    default = default or [each for each in listed if not _is_fips(each)] or list(listed)
    if CUSTOM_SERVICE_NAME.fullmatch(service.name):
        default = list(listed)
    return tuple(default), tuple(each for each in listed if each not in default)


def _is_fips(name: str) -> bool:
    return any("fips" in label.split("-") for label in name.split("."))


def _is_dual_stack(name: str) -> bool:
    return name.endswith(DUAL_STACK_SUFFIXES) or ".dualstack." in f".{name}"
