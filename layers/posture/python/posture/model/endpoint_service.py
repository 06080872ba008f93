"""The provider's side of PrivateLink: an endpoint service of ours, who may connect and who has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from posture.model.network import Tags
from posture.model.scope import Scope


class ServiceFacet(StrEnum):
    """One kind of fact about an endpoint service that can be denied by itself."""

    CONFIGURATION = "DescribeVpcEndpointServiceConfigurations"
    PERMISSIONS = "DescribeVpcEndpointServicePermissions"
    CONNECTIONS = "DescribeVpcEndpointConnections"


@dataclass(frozen=True, slots=True)
class Connection:
    """One consumer's endpoint at our service; `state` is in lower case as in `Endpoint.state`."""

    endpoint_id: str
    owner: str
    state: str
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndpointServiceSnapshot:
    """A frozen picture of one endpoint service. `principals` are ARNs or `*`, as EC2 gives them."""

    scope: Scope
    observed_at: datetime
    name: str  # com.amazonaws.vpce.REGION.vpce-svc-…
    state: str
    acceptance_required: bool | None
    private_dns_name: str | None = None
    private_dns_state: str | None = None  # pendingverification, verified, failed
    principals: tuple[str, ...] = ()
    connections: tuple[Connection, ...] = ()
    tags: Tags = field(default_factory=dict)
    unreadable: Mapping[ServiceFacet, str] = field(default_factory=dict)
