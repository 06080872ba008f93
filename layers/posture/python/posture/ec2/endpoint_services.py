"""Collects snapshots of the endpoint services that an account offers in a region.

Configurations and connections are read for all services at once; the permissions take one request
(and its pages) for each service.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpointServicePermissions.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from posture.ec2.describe import (
    MALFORMED,
    DescribeOperation,
    Filters,
    Reading,
    describe,
    read_concurrently,
)
from posture.ec2.parse.endpoints import parse_connection
from posture.ec2.parse.fields import Row, parse_tags, parse_values, sort_ids
from posture.lean_dataclass import dataclass
from posture.model.endpoint_service import Connection, EndpointServiceSnapshot, ServiceFacet
from posture.model.scope import Region, Scope

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_ec2 import EC2Client

    from posture.runtime.clock import TimeSource


def _parse_id(row: Row) -> tuple[str, Row]:
    return str(row["ServiceId"]), row


CONFIGURATIONS = DescribeOperation(ServiceFacet.CONFIGURATION, _parse_id, "ServiceConfigurations")
CONNECTIONS = DescribeOperation(
    ServiceFacet.CONNECTIONS, lambda row: (str(row.get("ServiceId")), parse_connection(row))
)
PERMISSIONS = DescribeOperation(
    ServiceFacet.PERMISSIONS, lambda row: str(row.get("Principal", "")), "AllowedPrincipals"
)


@dataclass(frozen=True, slots=True)
class ServicesSnapshot:
    """The endpoint services of a region, by service id.

    If `unreadable` is set, the services are those that were known already, without their
    configuration, and a service that is missing here may still exist. If `denied` is unset, EC2
    does not offer endpoint services here.
    """

    services: Mapping[str, EndpointServiceSnapshot]
    unreadable: str | None = None
    denied: bool = False


def collect_services(
    ec2: EC2Client, region: Region, *, now: TimeSource, only: str = "", known: Iterable[str] = ()
) -> ServicesSnapshot:
    """Collect every endpoint service of a region, or the one whose id is `only`.

    `known` are services of earlier snapshots: if access is denied, these services and `only` are in
    this snapshot as unreadable instead of being left out.

    Raises:
        ClientError, BotoCoreError: throttling, a server error or a timeout outlasted the retries.
        TimeoutError: the reads together took too long.
    """
    observed_at = now()
    filters: Filters = [{"Name": "service-id", "Values": [only]}] if only else ()
    configurations = describe(ec2, CONFIGURATIONS, filters)
    if configurations.unreadable:
        ids = {*known, only} - {""}
        return _build_unreadable(region, observed_at, ids, configurations)
    rows = {each: row for each, row in configurations.items if not _is_deleted(row)}
    connections = describe(ec2, CONNECTIONS, filters) if rows else Reading()
    principals = read_concurrently(
        ec2, {each: partial(describe, ec2, PERMISSIONS, ServiceId=each) for each in rows}
    )
    services = {
        service_id: _build_service(
            Scope(region.account, region.name, service_id),
            observed_at,
            row,
            connections,
            principals[service_id],
        )
        for service_id, row in rows.items()
    }
    return ServicesSnapshot(services, configurations.why_incomplete(""))


def _build_unreadable(
    region: Region, observed_at: datetime, service_ids: Iterable[str], listing: Reading[Any]
) -> ServicesSnapshot:
    services = {
        service_id: _build_unknown(
            Scope(region.account, region.name, service_id), observed_at, str(listing.unreadable)
        )
        for service_id in service_ids
    }
    return ServicesSnapshot(services, listing.unreadable, listing.denied)


def _build_unknown(scope: Scope, observed_at: datetime, reason: str) -> EndpointServiceSnapshot:
    return EndpointServiceSnapshot(
        scope=scope, observed_at=observed_at, unreadable={ServiceFacet.CONFIGURATION: reason}
    )


def _is_deleted(row: Row) -> bool:
    return str(row.get("ServiceState", "")).lower() in {"deleting", "deleted"}


def _parse_regions(row: Row) -> tuple[str, ...] | None:
    """Parse the Regions from which consumers may connect; none but its own without remote access.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ServiceConfiguration.html
    """
    if row.get("RemoteAccessEnabled") is False:
        return ()
    regions = row.get("SupportedRegions")
    return None if regions is None else parse_values(regions, "Region")


def _build_service(
    scope: Scope,
    observed_at: datetime,
    row: Row,
    connections: Reading[tuple[str, Connection]],
    principals: Reading[str],
) -> EndpointServiceSnapshot:
    """Build the snapshot of a service; one whose row is malformed is unknown, and no other."""
    try:
        return _parse_service(scope, observed_at, row, connections, principals)
    except MALFORMED as error:
        reason = f"a row of ec2:{ServiceFacet.CONFIGURATION} is malformed: {error}"
        return _build_unknown(scope, observed_at, reason)


def _parse_service(
    scope: Scope,
    observed_at: datetime,
    row: Row,
    connections: Reading[tuple[str, Connection]],
    principals: Reading[str],
) -> EndpointServiceSnapshot:
    reasons = {
        ServiceFacet.CONNECTIONS: connections.why_incomplete(""),
        ServiceFacet.PERMISSIONS: principals.why_incomplete(""),
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
        principals=sort_ids(filter(None, principals.items)),
        connections=tuple(it for service, it in connections.items if service == scope.subject),
        regions=_parse_regions(row),
        tags=parse_tags(row.get("Tags")),
        unreadable={facet: reason for facet, reason in reasons.items() if reason},
    )
