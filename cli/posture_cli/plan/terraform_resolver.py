"""Resolves which resource an id refers to that Terraform knows only after apply.

What an expression leaves open is a choice, of which each reading of the plan takes another option.
What differs between the readings is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posture_cli.plan.terraform_expressions import Path, find_value
from posture_cli.plan.terraform_ids import OWN_ATTRIBUTES, POLICY, find_own_kind, make_id
from posture_cli.plan.terraform_plan import NOT_KNOWN, Instance, TerraformPlan
from posture_cli.plan.terraform_references import Candidate, Found, References
from posture_cli.plan.values import Unknown

NAMED = 4  # resources that a sentence names

# A subnet has one table and one ACL, and a table one route for each destination: that many
# instances refer to that many resources, one each, in whatever order.
DISTINCT = frozenset(
    {
        ("aws_route_table_association", "subnet_id"),
        ("aws_route", "route_table_id"),
        ("aws_network_acl_association", "subnet_id"),
        ("aws_vpc_endpoint_subnet_association", "subnet_id"),
        ("aws_vpc_endpoint_route_table_association", "route_table_id"),
        ("awscc_ec2_subnet_route_table_association", "subnet_id"),
        ("awscc_ec2_route", "route_table_id"),
    }
)

# What adopts a resource that EC2 created with a VPC, and the attribute that leads to it.
ADOPTED = {
    "aws_default_route_table": "default_route_table_id",
    "aws_default_network_acl": "default_network_acl_id",
    "aws_default_security_group": "vpc_id",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that may be several: `options` is the number of readings to distinguish."""

    key: str
    options: int
    text: str


class Resolver:
    """Resolves the ids of a plan in one reading of it.

    Attributes:
        choices: What turned out to be ambiguous so far, by key.
        unknown: The values that could not be resolved so far, each with its address.
    """

    def __init__(self, plan: TerraformPlan, reading: Mapping[str, int] | None = None) -> None:
        self.plan = plan
        self.reading = reading or {}
        self.choices: dict[str, Choice] = {}
        self.unknown: dict[str, None] = {}
        self._references = References(plan, self.own_id)

    def own_id(self, instance: Instance) -> str:
        """Return the id of a resource, a symbol if EC2 has not assigned it yet."""
        kind = find_own_kind(instance.mode, instance.type)
        for name in OWN_ATTRIBUTES.get(kind, ("id",)):
            value = instance.values.get(name)
            if isinstance(value, str) and value:
                return value
        if instance.type in ADOPTED:
            return self._find_adopted(instance, kind)
        return instance.address if kind == POLICY else make_id(kind, instance.address)

    def _find_adopted(self, instance: Instance, kind: str) -> str:
        """Return the id of what EC2 created with a VPC, which the resource only adopts."""
        name = ADOPTED[instance.type]
        if name != "vpc_id":
            found = self.resolve_one(instance, (name,), kind)
            return found if isinstance(found, str) else make_id(kind, instance.address)
        vpc_id = self.resolve_one(instance, (name,), "vpc")
        symbol = isinstance(vpc_id, str) and vpc_id.startswith(make_id("vpc", ""))
        address = str(vpc_id).removeprefix(make_id("vpc", "")) if symbol else instance.address
        return make_id(kind, f"{address}-default")

    def resolve_one(self, instance: Instance, path: Path, kind: str) -> str | Unknown | None:
        """Return the id at a path; None if there is none."""
        value = find_value(instance.values, path)
        if value is not NOT_KNOWN:
            return str(value) if value else None
        if not self.is_configured(instance, path):
            return None
        found = self._references.find(instance, path, kind)
        candidates = _prefer_unknown(found.candidates)
        if not candidates:
            return self.leave_unknown(instance, path)
        if len(candidates) == 1:
            return candidates[0].value
        size = len(candidates)
        natural = self._find_natural(instance, found, candidates)
        distinct = (instance.type, path[-1]) in DISTINCT and size == len(
            self._references.blocks[instance.module, instance.block]
        )
        shift = 0 if distinct else self._choose(instance, path, size, candidates)
        return candidates[(natural + shift) % size].value

    def resolve_many(  # noqa: PLR0911 - one return for each case
        self, instance: Instance, path: Path, kind: str
    ) -> list[str] | Unknown:
        """Return the ids at a path."""
        value = find_value(instance.values, path)
        if isinstance(value, list):
            return self._resolve_elements(instance, path, kind, value)
        if value is not NOT_KNOWN:
            return [str(value)] if value else []
        if not self.is_configured(instance, path):
            return []
        found = self._references.find(instance, path, kind)
        candidates = _remove_duplicates(found.candidates)
        if not candidates:
            return self.leave_unknown(instance, path)
        values = [each.value for each in candidates]
        size = len(values)
        if size == 1 or not (found.several or found.indexed or found.opaque):
            return values
        # All of them, or any one: a result that holds for these holds for what lies between.
        option = self._choose(instance, path, size + 1, candidates)
        if found.indexed and not found.opaque:
            natural = self._find_natural(instance, found, candidates)
            return values if option == size else [values[(natural + option) % size]]
        return values if option == 0 else [values[option - 1]]

    def _resolve_elements(
        self, instance: Instance, path: Path, kind: str, value: list[Any]
    ) -> list[str] | Unknown:
        known = [str(each) for each in value if each is not NOT_KNOWN and each is not None]
        open_places = [at for at, each in enumerate(value) if each is NOT_KNOWN]
        if not open_places:
            return known
        found = self._references.find(instance, path, kind)
        candidates = [each for each in _prefer_unknown(found.candidates) if each.value not in known]
        size = len(candidates)
        if size < len(open_places):
            return self.leave_unknown(instance, path)
        if size == len(open_places):
            return [*known, *(each.value for each in candidates)]
        shift = self._choose(instance, path, size, candidates)
        natural = self._find_natural(instance, found, candidates)
        chosen = [candidates[(natural + at + shift) % size].value for at in range(len(open_places))]
        return [*known, *chosen]

    def leave_unknown(self, instance: Instance, path: Path) -> Unknown:
        """Return an unknown for a value that is known only after apply, and remember it."""
        name = f"{instance.address}.{'.'.join(map(str, path))}"
        self.unknown[name] = None
        return Unknown(f"known only after apply ({name})")

    def is_configured(self, instance: Instance, path: Path) -> bool:
        """Return whether the configuration sets a value; if not, it is the provider's or EC2's.

        A value inside a block is: blocks that `dynamic` makes have no expressions in the plan.
        """
        return len(path) > 1 or path[0] in self.plan.find_config(instance).get("expressions", {})

    def find_documents(self, instance: Instance, path: Path) -> list[Instance]:
        """Find the policy documents whose JSON is the value at a path, if it is nothing else."""
        found = self._references.find(instance, path, POLICY)
        return [] if found.opaque else [each.source for each in found.candidates]

    def _choose(
        self, instance: Instance, path: Path, options: int, candidates: Sequence[Candidate]
    ) -> int:
        place = ".".join((*(f"module.{name}" for name in instance.module_names), instance.block))
        name = ".".join(str(each) for each in path if isinstance(each, str))
        key = f"{place}.{name}"
        among = sorted({f"{each.source.address}" for each in candidates})
        more = f" and {len(among) - NAMED} more" if len(among) > NAMED else ""
        listed = f"{', '.join(among[:NAMED])}{more}"
        text = f"The plan does not say to which of {listed} {key} refers."
        known = self.choices.get(key)
        if known is None or known.options < options:
            self.choices[key] = Choice(key, options, text)
        return self.reading.get(key, 0)

    def _find_natural(
        self, instance: Instance, found: Found, candidates: Sequence[Candidate]
    ) -> int:
        """Return the candidate that the index most likely means: the one with the same index."""
        keys = [instance.key, *(key for _, key in reversed(instance.module))]
        for key in (each for each in keys if each is not None):
            same = [at for at, each in enumerate(candidates) if each.source.key == key]
            if len(same) == 1:
                return same[0]
        if not found.indexed:
            return 0
        block = self._references.blocks.get((instance.module, instance.block), [instance])
        return block.index(instance) % len(candidates) if instance in block else 0


def _remove_duplicates(candidates: Iterable[Candidate]) -> list[Candidate]:
    return list({each.value: each for each in candidates}.values())


def _prefer_unknown(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Leave out known ids: one that is not known yet comes from a resource without an id."""
    unique = _remove_duplicates(candidates)
    return [each for each in unique if not each.known] or unique
