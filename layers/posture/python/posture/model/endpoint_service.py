"""An endpoint service of this account: who may connect to it and who is connected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from posture.lean_dataclass import dataclass
from posture.model.network import Tags
from posture.model.scope import Scope


class ServiceFacet(StrEnum):
    """Part of a snapshot that one EC2 operation returns, to which access can be denied."""

    CONFIGURATION = "DescribeVpcEndpointServiceConfigurations"
    PERMISSIONS = "DescribeVpcEndpointServicePermissions"
    CONNECTIONS = "DescribeVpcEndpointConnections"


@dataclass(frozen=True, slots=True)
class Connection:
    """A consumer's endpoint that is connected to the service; `state` is in lower case."""

    endpoint_id: str
    owner: str
    state: str
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndpointServiceSnapshot:
    """One endpoint service. `principals` are the allowed principals: ARNs or `*`."""

    scope: Scope
    observed_at: datetime
    name: str = ""  # com.amazonaws.vpce.REGION.vpce-svc-…
    state: str = ""
    acceptance_required: bool | None = None
    private_dns_name: str | None = None
    private_dns_state: str | None = None  # pendingverification, verified, failed
    principals: tuple[str, ...] = ()
    connections: tuple[Connection, ...] = ()
    regions: tuple[str, ...] | None = None  # where consumers may connect from; None: not returned
    tags: Tags = field(default_factory=dict)
    unreadable: Mapping[ServiceFacet, str] = field(default_factory=dict)
