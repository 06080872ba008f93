"""Finds which resource an id refers to that Terraform knows only after apply.

A plan's JSON keeps the references of an expression, not the expression itself. A reference to one
instance is unambiguous. A reference to all instances of a block, by `count.index`, `each.key`, a
splat or through a local value, may mean any of them: a choice, of which each reading of the plan
takes another option. What differs between the readings is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from posture_cli.plan.terraform_ids import (
    DEFAULT_SUFFIXES,
    GATEWAY,
    GATEWAYS,
    OWN_ATTRIBUTES,
    POLICY,
    VPCS,
    find_kind,
    find_own_kind,
    list_attributes,
    make_id,
)
from posture_cli.plan.terraform_plan import (
    NOT_KNOWN,
    Instance,
    Json,
    Key,
    ModulePath,
    TerraformPlan,
    group_by_block,
)
from posture_cli.plan.values import Unknown

NAMED = 4  # resources that a sentence names
Path = tuple[str | int, ...]  # to a value in an instance's values
_TOKEN = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([A-Za-z_][\w-]*)')

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
class Candidate:
    """An id that an expression may refer to, and the instance that has it."""

    value: str
    known: bool
    source: Instance


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that may be several: `options` is the number of readings to distinguish."""

    key: str
    options: int
    text: str


@dataclass(slots=True)
class _Found:
    """What the references of an expression lead to.

    `indexed` is whether the index of the instance is part of the expression, `opaque` whether a
    reference was followed to everything that it can mean, `several` whether one without an index
    leads to several instances.
    """

    candidates: list[Candidate] = field(default_factory=list)
    indexed: bool = False
    opaque: bool = False
    several: bool = False

    def add(self, other: _Found) -> None:
        self.candidates += other.candidates
        self.indexed |= other.indexed
        self.opaque |= other.opaque
        self.several |= other.several


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an expression stands: its module, and the `for_each` that `each` refers to."""

    module: ModulePath
    each: Json
    seen: frozenset[tuple[ModulePath, str]] = frozenset()

    def visit(self, module: ModulePath, what: str) -> _Place | None:
        """Go on in another module; None if the reference was followed there already."""
        mark = (module, what)
        return None if mark in self.seen else _Place(module, {}, self.seen | {mark})


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
        self._blocks = group_by_block(plan.after)
        self._modules = {
            module[:size] for module, _ in self._blocks for size in range(len(module) + 1)
        }

    # Ids -----------------------------------------------------------------------------------------

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
        found = self._find(instance, path, kind)
        candidates = _prefer_unknown(found.candidates)
        if not candidates:
            return self.leave_unknown(instance, path)
        if len(candidates) == 1:
            return candidates[0].value
        size = len(candidates)
        natural = self._find_natural(instance, found, candidates)
        distinct = (instance.type, path[-1]) in DISTINCT and size == len(
            self._blocks[instance.module, instance.block]
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
        found = self._find(instance, path, kind)
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
        found = self._find(instance, path, kind)
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
        found = self._find(instance, path, POLICY)
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
        self, instance: Instance, found: _Found, candidates: Sequence[Candidate]
    ) -> int:
        """Return the candidate that the index most likely means: the one with the same index."""
        keys = [instance.key, *(key for _, key in reversed(instance.module))]
        for key in (each for each in keys if each is not None):
            same = [at for at, each in enumerate(candidates) if each.source.key == key]
            if len(same) == 1:
                return same[0]
        if not found.indexed:
            return 0
        block = self._blocks.get((instance.module, instance.block), [instance])
        return block.index(instance) % len(candidates) if instance in block else 0

    # References ----------------------------------------------------------------------------------

    def _find(self, instance: Instance, path: Path, kind: str) -> _Found:
        config = self.plan.find_config(instance)
        each = config.get("for_each_expression") or {}
        place = _Place(instance.module, each)
        expression = _find_expression(config.get("expressions", {}), path)
        if expression is None:  # a dynamic block
            return self._find_all(place, kind)
        return self._follow(place, expression, kind)

    def _follow(self, place: _Place, expression: Any, kind: str) -> _Found:
        found = _Found()
        for reference in _keep_specific(_list_references(expression)):
            found.add(self._follow_one(place, reference, kind))
        return found

    def _follow_one(  # noqa: PLR0911 - one return for each kind of reference
        self, place: _Place, reference: str, kind: str
    ) -> _Found:
        steps = _split(reference)
        match steps:
            case ["count", *_]:
                return _Found(indexed=True)
            case ["each", "value", *_]:
                found = self._follow(place, place.each, kind)
                found.indexed = True
                return found
            case ["each", *_]:
                return _Found(indexed=True)
            case ["path" | "terraform" | "self", *_]:
                return _Found()
            case ["var", str(name), *_]:
                return self._follow_variable(place, name, kind)
            case ["local", *_]:
                return self._find_all(place, kind)
            case ["module", str(name), *rest]:
                return self._follow_output(place, name, rest, kind)
            case ["data", str(type_), str(name), *rest]:
                return self._collect(place.module, f"data.{type_}.{name}", rest, kind)
            case [str(type_), str(name), *rest]:
                return self._collect(place.module, f"{type_}.{name}", rest, kind)
        return _Found()

    def _follow_variable(self, place: _Place, name: str, kind: str) -> _Found:
        """Follow a variable to the expression of the module's call."""
        if not place.module:
            return _Found()
        *parent, (call_name, _) = place.module
        outer = place.visit(tuple(parent), f"var.{name} of {call_name}")
        call = self._find_call(tuple(parent), call_name)
        expression = (call.get("expressions") or {}).get(name)
        if outer is None or expression is None:
            return _Found()
        each = call.get("for_each_expression") or {}
        return self._follow(_Place(outer.module, each, outer.seen), expression, kind)

    def _find_call(self, module: ModulePath, name: str) -> Json:
        config = self.plan.find_module([each for each, _ in module])
        return config.calls.get(name, {}) if config else {}

    def _follow_output(self, place: _Place, name: str, rest: Sequence[Any], kind: str) -> _Found:
        """Follow a module's output in each instance of the module, or in the one that is named."""
        key: Key = None
        if rest and isinstance(rest[0], _Index):
            key, rest = rest[0].key, rest[1:]
        modules = sorted(
            (each for each in self._modules if each[:-1] == place.module and each[-1:]
             and each[-1][0] == name and key in (None, each[-1][1])),
            key=str,
        )  # fmt: skip
        found = _Found(several=len(modules) > 1)
        for module in modules:
            config = self.plan.find_module([each for each, _ in module])
            outputs = config.outputs if config else {}
            names = [rest[0]] if rest and isinstance(rest[0], str) else list(outputs)
            for output in names:
                inner = place.visit(module, f"output.{output}")
                if inner is not None and output in outputs:
                    found.add(self._follow(inner, outputs[output].get("expression"), kind))
        return found

    def _find_all(self, place: _Place, kind: str) -> _Found:
        """Find everything that an expression in a module can refer to, as a local value may."""
        found = _Found(opaque=True)
        inner = place.visit(place.module, "local")
        if inner is None:
            return found
        for (module, block), _ in sorted(self._blocks.items(), key=str):
            if module == place.module:
                found.add(self._collect(module, block, (), kind, check=True))
        config = self.plan.find_module([each for each, _ in place.module])
        for name in config.calls if config else ():
            found.add(self._follow_output(inner, name, (), kind))
        if place.module:
            *parent, (call_name, _) = place.module
            for name in self._find_call(tuple(parent), call_name).get("expressions") or {}:
                found.add(self._follow_variable(inner, name, kind))
        found.opaque = True
        return found

    def _collect(
        self, module: ModulePath, block: str, rest: Sequence[Any], kind: str, *, check: bool = False
    ) -> _Found:
        """Collect the ids of a block's instances; with `check`, only those that contribute."""
        instances: Iterable[Instance] = self._blocks.get((module, block), ())
        if rest and isinstance(rest[0], _Index):
            wanted, rest = rest[0].key, rest[1:]
            instances = [each for each in instances if each.key == wanted]
        attribute = next((each for each in rest if isinstance(each, str)), "")
        found = _Found()
        listed = list(instances)
        for instance in listed:
            for candidate in self._read(instance, attribute, kind, check=check):
                found.candidates.append(candidate)
        found.several = len(listed) > 1
        return found

    def _read(
        self, instance: Instance, attribute: str, kind: str, *, check: bool
    ) -> Iterator[Candidate]:
        """Read the ids of a kind in an attribute, or in whichever attributes hold such ids."""
        names = [attribute] if attribute else list_attributes(instance.mode, instance.type, kind)
        for name in names:
            if check and not self._contributes(instance, name):
                continue
            held = find_kind(instance.mode, instance.type, name)
            if kind and held != kind and not (kind == GATEWAY and held in GATEWAYS):
                continue
            value = instance.values.get(name)
            if value is NOT_KNOWN or (value is None and name in OWN_ATTRIBUTES.get(held, ("id",))):
                yield from self._read_unknown(instance, name, held)
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, str) and each:
                    yield Candidate(each, known=True, source=instance)

    def _read_unknown(self, instance: Instance, name: str, kind: str) -> Iterator[Candidate]:
        own = find_own_kind(instance.mode, instance.type)
        if not kind:
            return
        if kind == own:
            yield Candidate(self.own_id(instance), known=False, source=instance)
        elif instance.type in VPCS and name in DEFAULT_SUFFIXES:
            suffix = DEFAULT_SUFFIXES[name][1]
            address = f"{instance.address}-{suffix}"
            yield Candidate(make_id(kind, address), known=False, source=instance)
        elif own == "vpc-endpoint" and kind == "prefix-list":
            service = str(instance.values.get("service_name") or "")
            symbol = make_id(kind, service.rpartition(".")[2])
            yield Candidate(symbol, known=False, source=instance)
        else:
            for each in self._find(instance, (name,), kind).candidates:
                yield Candidate(each.value, each.known, instance)

    def _contributes(self, instance: Instance, attribute: str) -> bool:
        """Return whether an attribute is among those that contribute to the plan's changes."""
        relevant = self.plan.relevant
        if relevant is None:
            return True
        block = instance.address.removesuffix(_format_key(instance.key))
        addresses = (instance.address, block)
        return any((each, name) in relevant for each in addresses for name in (attribute, ""))


@dataclass(frozen=True, slots=True)
class _Index:
    key: str | int


def _split(reference: str) -> list[Any]:
    """Split a reference into names and indexes."""
    return [
        name or _Index(int(number) if number else text)
        for text, number, name in _TOKEN.findall(reference)
    ]


def _format_key(key: Key) -> str:
    if key is None:
        return ""
    return f"[{key}]" if isinstance(key, int) else f'["{key}"]'


def _list_references(expression: Any) -> list[str]:
    """List the references of an expression, and of those inside its blocks."""
    if isinstance(expression, list):
        return [found for each in expression for found in _list_references(each)]
    if not isinstance(expression, Mapping):
        return []
    if "references" in expression:
        return list(expression["references"])
    return [
        found
        for name, each in expression.items()
        if name != "constant_value"
        for found in _list_references(each)
    ]


def _keep_specific(references: Iterable[str]) -> list[str]:
    """Leave out the prefixes of other references, which Terraform lists after them."""
    unique = list(dict.fromkeys(references))
    return [
        each
        for each in unique
        if not any(other.startswith((f"{each}.", f"{each}[")) for other in unique)
    ]


def _find_expression(expressions: Any, path: Path) -> Any:
    """Find the expression of a value; that of an enclosing value counts. None if there is none."""
    node = expressions
    for step in path:
        if isinstance(node, Mapping) and ("references" in node or "constant_value" in node):
            return node
        if isinstance(node, Mapping) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int):
            node = node[step] if step < len(node) else None
        if node is None:
            return None
    return node


def find_value(values: Any, path: Path) -> Any:
    """Find the value at a path; below a value that is not known, nothing is."""
    for step in path:
        if values is NOT_KNOWN:
            return NOT_KNOWN
        if isinstance(step, int):
            values = values[step] if isinstance(values, list) and step < len(values) else None
        else:
            values = values.get(step) if isinstance(values, Mapping) else None
    return values


def _remove_duplicates(candidates: Iterable[Candidate]) -> list[Candidate]:
    return list({each.value: each for each in candidates}.values())


def _prefer_unknown(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Leave out known ids: one that is not known yet comes from a resource without an id."""
    unique = _remove_duplicates(candidates)
    return [each for each in unique if not each.known] or unique
