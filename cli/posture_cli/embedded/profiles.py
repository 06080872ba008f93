"""Route 53 Profiles, which moto 5.2 does not emulate.

moto finds the operation of a request by botocore's model and writes the answer by it, so that no
answer has a member that AWS's lacks.
https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations_Amazon_Route_53_Profiles.html
"""

from __future__ import annotations

import re
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

from moto import backend_index
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.moto_api._internal import mock_random

SERVICE = "route53profiles"
URL = rf"https?://{SERVICE}\.(.+)\.amazonaws\.com"

Row = dict[str, Any]


class _NotFoundError(ServiceException):
    code = "ResourceNotFoundException"


class ProfilesBackend(BaseBackend):
    """The Profiles of one account in one Region, with what they are associated with."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.profiles: dict[str, Row] = {}
        self.uses: dict[str, Row] = {}  # associations with VPCs
        self.resources: dict[str, Row] = {}

    @property
    def _url_module(self) -> Any:
        return SimpleNamespace(url_bases=[URL], url_paths={"{0}/.*$": ProfilesResponse.dispatch})

    def make_id(self, prefix: str) -> str:
        """Make an id."""
        return f"{prefix}-{mock_random.get_random_hex(16)}"


class ProfilesResponse(BaseResponse):
    """Answers requests to Route 53 Profiles."""

    def __init__(self) -> None:
        super().__init__(service_name=SERVICE)
        self.automated_parameter_parsing = True

    @property
    def _backend(self) -> ProfilesBackend:
        return backends[self.current_account][self.region]

    def create_profile(self) -> ActionResult:
        """Create an empty Profile."""
        profile_id = self._backend.make_id("rp")
        place = f"{self.region}:{self.current_account}"
        self._backend.profiles[profile_id] = {
            "Id": profile_id,
            "Name": self._get_param("Name"),
            "Arn": f"arn:{self.partition}:{SERVICE}:{place}:profile/{profile_id}",
            "OwnerId": self.current_account,
            "ShareStatus": "NOT_SHARED",
            "Status": "COMPLETE",
        }
        return ActionResult({"Profile": self._backend.profiles[profile_id]})

    def delete_profile(self) -> ActionResult:
        """Delete a Profile."""
        profile = self._find_profile()
        return ActionResult({"Profile": self._backend.profiles.pop(profile["Id"])})

    def list_profiles(self) -> ActionResult:
        """List the Profiles."""
        return ActionResult({"ProfileSummaries": list(self._backend.profiles.values())})

    def associate_profile(self) -> ActionResult:
        """Associate a Profile with a VPC."""
        row = {
            "Id": self._backend.make_id("rpassoc"),
            "Name": self._get_param("Name"),
            "OwnerId": self.current_account,
            "ProfileId": self._find_profile()["Id"],
            "ResourceId": self._get_param("ResourceId"),
            "Status": "COMPLETE",
        }
        self._backend.uses[row["Id"]] = row
        return ActionResult({"ProfileAssociation": row})

    def disassociate_profile(self) -> ActionResult:
        """Disassociate a Profile from a VPC."""
        row = self._take(self._backend.uses, "ResourceId")
        return ActionResult({"ProfileAssociation": row | {"Status": "DELETED"}})

    def list_profile_associations(self) -> ActionResult:
        """List the associations of Profiles with VPCs."""
        return ActionResult({"ProfileAssociations": self._select(self._backend.uses)})

    def associate_resource_to_profile(self) -> ActionResult:
        """Add a zone, a rule or an endpoint to a Profile."""
        arn = self._get_param("ResourceArn")
        row = {
            "Id": self._backend.make_id("rpr"),
            "Name": self._get_param("Name"),
            "OwnerId": self.current_account,
            "ProfileId": self._find_profile()["Id"],
            "ResourceArn": arn,
            "ResourceType": arn.split(":", 5)[-1].split("/")[0].replace("-", "_").upper(),
            "Status": "COMPLETE",
        }
        self._backend.resources[row["Id"]] = row
        return ActionResult({"ProfileResourceAssociation": row})

    def disassociate_resource_from_profile(self) -> ActionResult:
        """Remove a resource from a Profile."""
        row = self._take(self._backend.resources, "ResourceArn")
        return ActionResult({"ProfileResourceAssociation": row | {"Status": "DELETED"}})

    def list_profile_resource_associations(self) -> ActionResult:
        """List the resources of a Profile."""
        self._find_profile()
        rows = self._select(self._backend.resources)
        return ActionResult({"ProfileResourceAssociations": rows})

    def _find_profile(self) -> Row:
        profile_id = self._get_param("ProfileId")
        if profile_id not in self._backend.profiles:
            raise _NotFoundError(f"{profile_id} does not exist")
        return self._backend.profiles[profile_id]

    def _select(self, rows: dict[str, Row]) -> list[Row]:
        names = ("ProfileId", "ResourceId", "ResourceType")
        wanted = {name: value for name in names if (value := self._get_param(name))}
        return [row for row in rows.values() if wanted.items() <= row.items()]

    def _take(self, rows: dict[str, Row], name: str) -> Row:
        """Remove the row of a Profile whose member has the given value."""
        profile_id, value = self._get_param("ProfileId"), self._get_param(name)
        for row in rows.values():
            if (row["ProfileId"], row[name]) == (profile_id, value):
                return rows.pop(row["Id"])
        raise _NotFoundError(f"{value} is not associated with {profile_id}")


backends = BackendDict(ProfilesBackend, SERVICE)


def add_profiles() -> None:
    """Add the service to moto's; calling it again changes nothing."""
    if f"moto.{SERVICE}" not in sys.modules:
        module = ModuleType(f"moto.{SERVICE}")
        setattr(module, f"{SERVICE}_backends", backends)
        sys.modules[module.__name__] = module
        backend_index.backend_url_patterns.append((SERVICE, re.compile(URL)))
