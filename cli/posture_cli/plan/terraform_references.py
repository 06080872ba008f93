"""Finds the instances that the references of an expression may lead to.

A plan's JSON keeps the references of an expression, not the expression itself. A reference to one
instance is unambiguous. A reference to all instances of a block, by `count.index`, `each.key`, a
splat or through a local value, may mean any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from posture_cli.plan.terraform_expressions import (
    Index,
    Path,
    find_expression,
    format_key,
    keep_specific,
    list_references,
    split_reference,
)
from posture_cli.plan.terraform_ids import (
    DEFAULT_SUFFIXES,
    GATEWAY,
    GATEWAYS,
    OWN_ATTRIBUTES,
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


@dataclass(frozen=True, slots=True)
class Candidate:
    """An id that an expression may refer to, and the instance that has it."""

    value: str
    known: bool
    source: Instance


@dataclass(slots=True)
class Found:
    """What the references of an expression lead to.

    `indexed` is whether the index of the instance is part of the expression, `opaque` whether a
    reference was followed to everything that it can mean, `several` whether one without an index
    leads to several instances.
    """

    candidates: list[Candidate] = field(default_factory=list)
    indexed: bool = False
    opaque: bool = False
    several: bool = False

    def add(self, other: Found) -> None:
        """Add what another reference leads to."""
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


class References:
    """Follows the references of a plan.

    Attributes:
        blocks: The instances of each block of each module.
    """

    def __init__(self, plan: TerraformPlan, own_id: Callable[[Instance], str]) -> None:
        """Follow the references of a plan; `own_id` returns the id of a resource."""
        self.plan = plan
        self.blocks = group_by_block(plan.after)
        self._own_id = own_id
        self._modules = {
            module[:size] for module, _ in self.blocks for size in range(len(module) + 1)
        }

    def find(self, instance: Instance, path: Path, kind: str) -> Found:
        """Find the ids of a kind that the value at a path may be."""
        config = self.plan.find_config(instance)
        each = config.get("for_each_expression") or {}
        place = _Place(instance.module, each)
        expression = find_expression(config.get("expressions", {}), path)
        if expression is None:  # a dynamic block
            return self._find_all(place, kind)
        return self._follow(place, expression, kind)

    def _follow(self, place: _Place, expression: Any, kind: str) -> Found:
        found = Found()
        for reference in keep_specific(list_references(expression)):
            found.add(self._follow_one(place, reference, kind))
        return found

    def _follow_one(  # noqa: PLR0911 - one return for each kind of reference
        self, place: _Place, reference: str, kind: str
    ) -> Found:
        steps = split_reference(reference)
        match steps:
            case ["count", *_]:
                return Found(indexed=True)
            case ["each", "value", *_]:
                found = self._follow(place, place.each, kind)
                found.indexed = True
                return found
            case ["each", *_]:
                return Found(indexed=True)
            case ["path" | "terraform" | "self", *_]:
                return Found()
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
        return Found()

    def _follow_variable(self, place: _Place, name: str, kind: str) -> Found:
        """Follow a variable to the expression of the module's call."""
        if not place.module:
            return Found()
        *parent, (call_name, _) = place.module
        outer = place.visit(tuple(parent), f"var.{name} of {call_name}")
        call = self._find_call(tuple(parent), call_name)
        expression = (call.get("expressions") or {}).get(name)
        if outer is None or expression is None:
            return Found()
        each = call.get("for_each_expression") or {}
        return self._follow(_Place(outer.module, each, outer.seen), expression, kind)

    def _find_call(self, module: ModulePath, name: str) -> Json:
        config = self.plan.find_module([each for each, _ in module])
        return config.calls.get(name, {}) if config else {}

    def _follow_output(self, place: _Place, name: str, rest: Sequence[Any], kind: str) -> Found:
        """Follow a module's output in each instance of the module, or in the one that is named."""
        key: Key = None
        if rest and isinstance(rest[0], Index):
            key, rest = rest[0].key, rest[1:]
        modules = sorted(
            (each for each in self._modules if each[:-1] == place.module and each[-1:]
             and each[-1][0] == name and key in (None, each[-1][1])),
            key=str,
        )  # fmt: skip
        found = Found(several=len(modules) > 1)
        for module in modules:
            config = self.plan.find_module([each for each, _ in module])
            outputs = config.outputs if config else {}
            names = [rest[0]] if rest and isinstance(rest[0], str) else list(outputs)
            for output in names:
                inner = place.visit(module, f"output.{output}")
                if inner is not None and output in outputs:
                    found.add(self._follow(inner, outputs[output].get("expression"), kind))
        return found

    def _find_all(self, place: _Place, kind: str) -> Found:
        """Find everything that an expression in a module can refer to, as a local value may."""
        found = Found(opaque=True)
        inner = place.visit(place.module, "local")
        if inner is None:
            return found
        for (module, block), _ in sorted(self.blocks.items(), key=str):
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
    ) -> Found:
        """Collect the ids of a block's instances; with `check`, only those that contribute."""
        instances: Iterable[Instance] = self.blocks.get((module, block), ())
        if rest and isinstance(rest[0], Index):
            wanted, rest = rest[0].key, rest[1:]
            instances = [each for each in instances if each.key == wanted]
        attribute = next((each for each in rest if isinstance(each, str)), "")
        found = Found()
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
            yield Candidate(self._own_id(instance), known=False, source=instance)
        elif instance.type in VPCS and name in DEFAULT_SUFFIXES:
            suffix = DEFAULT_SUFFIXES[name][1]
            address = f"{instance.address}-{suffix}"
            yield Candidate(make_id(kind, address), known=False, source=instance)
        elif own == "vpc-endpoint" and kind == "prefix-list":
            service = str(instance.values.get("service_name") or "")
            symbol = make_id(kind, service.rpartition(".")[2])
            yield Candidate(symbol, known=False, source=instance)
        else:
            for each in self.find(instance, (name,), kind).candidates:
                yield Candidate(each.value, each.known, instance)

    def _contributes(self, instance: Instance, attribute: str) -> bool:
        """Return whether an attribute is among those that contribute to the plan's changes."""
        relevant = self.plan.relevant
        if relevant is None:
            return True
        block = instance.address.removesuffix(format_key(instance.key))
        addresses = (instance.address, block)
        return any((each, name) in relevant for each in addresses for name in (attribute, ""))
