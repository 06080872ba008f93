"""The values of one resource of a Terraform plan, as its mapping to rows reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from posture_cli.plan.rows import PlannedRegion, Row
from posture_cli.plan.terraform_expressions import Path, find_value
from posture_cli.plan.terraform_plan import NOT_KNOWN, Instance
from posture_cli.plan.terraform_resolver import Resolver
from posture_cli.plan.values import Unknown


@dataclass(frozen=True, slots=True)
class Values:
    """The values of an instance, or of one of its blocks, in one reading of the plan.

    Attributes:
        region: The rows that the instance is added to.
        path: Where the block is.
    """

    resolver: Resolver
    instance: Instance
    region: PlannedRegion
    path: Path = ()

    @property
    def id(self) -> str:
        """The id of the resource, a symbol if EC2 has not assigned it yet."""
        return self.resolver.own_id(self.instance)

    @property
    def address(self) -> str:
        """The address of the resource."""
        return self.instance.address

    def raw(self, name: str) -> Any:
        """Return a value as the plan has it."""
        return find_value(self.instance.values, (*self.path, name))

    def is_set(self, name: str) -> bool:
        """Return whether the configuration sets a value."""
        return self.resolver.is_configured(self.instance, (*self.path, name))

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value: `Unknown` if only apply tells, the default if nothing is configured."""
        value = self.raw(name)
        if value is NOT_KNOWN:
            if not self.is_set(name):
                return default
            return self.resolver.leave_unknown(self.instance, (*self.path, name))
        return default if value in (None, "") else value

    def texts(self, name: str) -> list[Any]:
        """Return a list of texts; each that is not known is `Unknown`, as is a list of its own."""
        value = self.get(name)
        if value is None:
            return []
        if isinstance(value, Unknown):
            return [value]
        place = (*self.path, name)
        return [
            self.resolver.leave_unknown(self.instance, (*place, at)) if each is NOT_KNOWN else each
            for at, each in enumerate(value)
        ]

    def ref(self, name: str, kind: str) -> str | Unknown | None:
        """Return the id of another resource."""
        return self.resolver.resolve_one(self.instance, (*self.path, name), kind)

    def refs(self, name: str, kind: str) -> list[str] | Unknown:
        """Return the ids of other resources."""
        return self.resolver.resolve_many(self.instance, (*self.path, name), kind)

    def blocks(self, name: str) -> Iterator[Values] | Unknown:
        """Return the blocks of a name."""
        value = self.get(name)
        if isinstance(value, Unknown):
            return value
        if isinstance(value, dict):
            return iter([Values(self.resolver, self.instance, self.region, (*self.path, name))])
        return (
            Values(self.resolver, self.instance, self.region, (*self.path, name, at))
            for at in range(len(value or ()))
        )

    def tags(self) -> dict[str, str]:
        """Return the tags that are known."""
        value = self.raw("tags_all") if isinstance(self.raw("tags_all"), dict) else self.raw("tags")
        if isinstance(value, list):  # awscc: [{key, value}]
            value = {each.get("key"): each.get("value") for each in value if isinstance(each, dict)}
        known = value if isinstance(value, dict) else {}
        return {key: each for key, each in known.items() if isinstance(each, str)}

    def vpc(self, name: str = "vpc_id") -> str:
        """Return the VPC of the resource; "" if there is none among the rows."""
        found = self.ref(name, "vpc")
        return found if isinstance(found, str) else ""


def as_row(**members: Any) -> Row:
    """Return a row of the members that have a value."""
    return {name: each for name, each in members.items() if each is not None}
