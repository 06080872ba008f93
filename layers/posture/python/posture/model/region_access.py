"""Whether an account can be read in a Region: what of it cannot be listed, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from posture.lean_dataclass import dataclass
from posture.model.endpoint_service import EndpointServiceSnapshot, ServiceFacet
from posture.model.network import Facet, Snapshot, Tags
from posture.model.scope import Scope


@dataclass(frozen=True, slots=True)
class RegionAccess:
    """The listings of an account and Region that cannot be read, each with the reason.

    `scope` is that of the Region itself. `since` is when the first attempt failed.
    """

    scope: Scope
    observed_at: datetime
    since: datetime
    unreadable: Mapping[Facet | ServiceFacet, str]
    tags: Tags = field(default_factory=dict)  # an account has none here


AnySnapshot = Snapshot | EndpointServiceSnapshot | RegionAccess
