"""A frozen snapshot of one endpoint service of ours, or of every one of a region.

Three kinds of request: configurations and connections come by pages for all services at once, the
principals that may connect take a request (and its pages) a service.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpointServicePermissions.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from posture.ec2.describe import Filters, Reading, guarded, pages, together
from posture.ec2.parse.endpoints import connection
from posture.ec2.parse.fields import strings, tags
from posture.model.endpoint_service import EndpointServiceSnapshot, ServiceFacet
from posture.model.scope import Region, Scope

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_ec2 import EC2Client

    from posture.ec2.parse.fields import Row
    from posture.ec2.region_catalogue import TimeSource

PAGE = 1000


@dataclass(frozen=True, slots=True)
class ServicesSnapshot:
    """A frozen picture of the endpoint services of a region, by service id.

    With `unreadable` set, the services are those that were known already, with nothing told of
    them, and one that is missing here need not be gone.
    """

    services: Mapping[str, EndpointServiceSnapshot]
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """What was read of all services: connections by service id, principals likewise."""

    connections: Reading[Row]
    principals: Mapping[str, Reading[str]]


def collect_services(
    ec2: EC2Client, region: Region, *, now: TimeSource, only: str = "", known: Iterable[str] = ()
) -> ServicesSnapshot:
    """Read every endpoint service of a region, or `only` the one of this id.

    `known` are services of earlier pictures: where services may not be listed, they are in this one
    as unreadable, and so is `only`, instead of being left out.

    Raises:
        ClientError, BotoCoreError: throttling, a server error or a timeout outlived the retries.
        TimeoutError: the whole took too long.
    """
    observed_at = now()
    by_id: Filters = [{"Name": "service-id", "Values": [only]}] if only else ()
    rows = _read(
        ec2,
        ServiceFacet.CONFIGURATION,
        "describe_vpc_endpoint_service_configurations",
        "ServiceConfigurations",
        by_id,
    )
    if rows.unreadable:
        blind = {*known, only} - {""}
        return _unread(region, observed_at, blind, rows.unreadable)
    found = {str(row["ServiceId"]): row for row in rows.items if _exists(row)}
    if not found:
        return ServicesSnapshot({})
    told = _Told(
        connections=_read(
            ec2,
            ServiceFacet.CONNECTIONS,
            "describe_vpc_endpoint_connections",
            "VpcEndpointConnections",
            by_id,
        ),
        principals=together({service_id: _principals(ec2, service_id) for service_id in found}),
    )
    services = {
        service_id: _service(Scope(region.account, region.name, service_id), observed_at, row, told)
        for service_id, row in found.items()
    }
    return ServicesSnapshot(services)


def _unread(
    region: Region, observed_at: datetime, service_ids: Iterable[str], reason: str
) -> ServicesSnapshot:
    """Give services that may be there, or be gone: only their ids are told."""
    services = {
        service_id: EndpointServiceSnapshot(
            scope=Scope(region.account, region.name, service_id),
            observed_at=observed_at,
            name="",
            state="",
            acceptance_required=None,
            unreadable={ServiceFacet.CONFIGURATION: reason},
        )
        for service_id in service_ids
    }
    return ServicesSnapshot(services, reason)


def _exists(row: Row) -> bool:
    return str(row.get("ServiceState", "")).lower() not in {"deleting", "deleted"}


def _service(scope: Scope, observed_at: datetime, row: Row, told: _Told) -> EndpointServiceSnapshot:
    principals = told.principals[scope.subject]
    unreadable = {
        ServiceFacet.CONNECTIONS: told.connections.unreadable,
        ServiceFacet.PERMISSIONS: principals.unreadable,
    }
    dns = row.get("PrivateDnsNameConfiguration") or {}
    return EndpointServiceSnapshot(
        scope=scope,
        observed_at=observed_at,
        name=str(row.get("ServiceName", "")),
        state=str(row.get("ServiceState", "")).lower(),
        acceptance_required=row.get("AcceptanceRequired"),
        private_dns_name=row.get("PrivateDnsName"),
        private_dns_state=str(dns["State"]).lower() if dns.get("State") else None,
        principals=principals.items,
        connections=tuple(
            connection(each)
            for each in told.connections.items
            if each.get("ServiceId") == scope.subject
        ),
        tags=tags(row.get("Tags")),
        unreadable={facet: reason for facet, reason in unreadable.items() if reason},
    )


def _principals(ec2: EC2Client, service_id: str) -> Callable[[], Reading[str]]:
    def read() -> tuple[str, ...]:
        operation = "describe_vpc_endpoint_service_permissions"
        rows = (
            row
            for page in pages(ec2, operation, PAGE, {"ServiceId": service_id})
            for row in page.get("AllowedPrincipals", ())
        )
        return tuple(sorted(strings(rows, "Principal")))

    return lambda: guarded(ServiceFacet.PERMISSIONS.value, read)


def _read(
    ec2: EC2Client, facet: ServiceFacet, operation: str, member: str, filters: Filters
) -> Reading[Any]:
    parameters = {"Filters": list(filters)} if filters else {}
    return guarded(
        facet.value,
        lambda: tuple(
            row for page in pages(ec2, operation, PAGE, parameters) for row in page.get(member, ())
        ),
    )
