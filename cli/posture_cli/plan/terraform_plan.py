"""Reads the JSON of a Terraform plan: `terraform show -json`.

https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from posture_cli.failure import CommandError

Json = Mapping[str, Any]
Key = str | int | None  # of `for_each`, of `count`, of neither
ModulePath = tuple[tuple[str, Key], ...]  # of a module instance: names with their keys

FORMAT = "1"  # the major version: minor versions add members only
HOW = "make it with: terraform plan -out FILE, then terraform show -json FILE"
GONE = frozenset({"delete", "forget"})
_STEP = re.compile(r'module\.([^.\[\]]+)(?:\[(?:"((?:[^"\\]|\\.)*)"|(\d+))\])?(?:\.|$)')


class _NotKnown:
    """A value that is known only after apply."""

    def __repr__(self) -> str:
        return "(known after apply)"


NOT_KNOWN = _NotKnown()


@dataclass(frozen=True, slots=True)
class ModuleConfig:
    """The configuration of one module."""

    resources: Mapping[str, Json]  # by address in the module: aws_vpc.this, data.aws_vpc.this
    calls: Mapping[str, Json]
    outputs: Mapping[str, Json]
    children: Mapping[str, ModuleConfig]


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One instance of a resource or data source, before or after the plan.

    `values` hold `NOT_KNOWN` where a value is known only after apply. `new` is whether it gets
    another id than it had.
    """

    address: str
    module: ModulePath
    mode: str  # managed or data
    type: str
    name: str
    key: Key
    provider: str
    values: Json
    new: bool = False

    @property
    def block(self) -> str:
        """The address of its block in its module."""
        return f"{'data.' if self.mode == 'data' else ''}{self.type}.{self.name}"

    @property
    def module_names(self) -> tuple[str, ...]:
        """The path of its module in the configuration."""
        return tuple(name for name, _ in self.module)


@dataclass(frozen=True, slots=True)
class TerraformPlan:
    """A plan: the instances before and after it, and the configuration.

    `changed` are the addresses that the plan changes, with what it does to each. `relevant` are the
    attributes that contribute to changes, as pairs of an address and the attribute's first step;
    None if the plan does not state them.
    """

    before: Sequence[Instance]
    after: Sequence[Instance]
    root: ModuleConfig
    providers: Mapping[str, Json]
    variables: Json
    changed: Mapping[str, tuple[str, ...]]
    relevant: frozenset[tuple[str, str]] | None = None
    notes: Sequence[str] = field(default=())

    def find_config(self, instance: Instance) -> Json:
        """Return the configuration of an instance's block; empty if the plan has none."""
        module = self.find_module(instance.module_names)
        return module.resources.get(instance.block, {}) if module else {}

    def find_module(self, names: Sequence[str]) -> ModuleConfig | None:
        """Return the configuration of a module, by the names of the calls that lead to it."""
        found: ModuleConfig | None = self.root
        for name in names:
            found = found.children.get(name) if found else None
        return found


def parse_terraform_plan(document: Json, file: str) -> TerraformPlan:
    """Parse a plan.

    Raises:
        CommandError: The plan is of another format, failed, or lacks what it must have.
    """
    _check(document, file)
    changes = [
        _require_change(each, f"{file}: resource_changes[{number}]")
        for number, each in enumerate(document.get("resource_changes") or ())
    ]
    stored = list(_list_stored(document.get("prior_state") or {}, file))
    read = {each["address"] for each in changes}
    data = [each for each in stored if each.mode == "data" and each.address not in read]
    relevant = document.get("relevant_attributes")
    return TerraformPlan(
        before=[*filter(None, map(_build_before, changes)), *data],
        after=[*filter(None, map(_build_after, changes)), *data],
        root=_parse_module(document["configuration"].get("root_module") or {}),
        providers=document["configuration"].get("provider_config") or {},
        variables={
            name: each.get("value") for name, each in (document.get("variables") or {}).items()
        },
        changed={
            each["address"]: tuple(each["change"]["actions"])
            for each in changes
            if set(each["change"]["actions"]) - {"no-op", "read"}
        },
        relevant=None if relevant is None else frozenset(map(_parse_relevant, relevant)),
        notes=tuple(_note_gaps(document)),
    )


def _check(document: Json, file: str) -> None:
    version = str(document.get("format_version", ""))
    if version.partition(".")[0] != FORMAT:
        raise CommandError(
            f"{file}: format_version: expected {FORMAT}.x of Terraform's plan, "
            f"got {version or 'nothing'}"
        )
    if document.get("errored"):
        raise CommandError(
            f"{file}: errored: the plan failed, so that it lacks resources; expected a plan that "
            "Terraform made without errors"
        )
    if not isinstance(document.get("configuration"), dict):
        raise CommandError(f"{file}: configuration: expected an object; {HOW}")
    changes = document.get("resource_changes")
    if changes is not None and not isinstance(changes, list):
        raise CommandError(f"{file}: resource_changes: expected a list")


def _require_change(entry: Any, place: str) -> Json:
    if not isinstance(entry, dict):
        raise CommandError(f"{place}: expected an object, got {entry!r:.60}")
    for name in ("address", "mode", "type", "name"):
        if not isinstance(entry.get(name), str):
            raise CommandError(f"{place}.{name}: expected a text, got {entry.get(name)!r:.60}")
    change = entry.get("change")
    if not isinstance(change, dict) or not isinstance(change.get("actions"), list):
        raise CommandError(f"{place}.change.actions: expected a list of actions")
    for name in ("before", "after"):
        if not isinstance(change.get(name), dict | None):
            raise CommandError(f"{place}.change.{name}: expected an object or null")
    return entry


def _build_before(entry: Json) -> Instance | None:
    change = entry["change"]
    if change.get("before") is None or entry["mode"] == "data":
        return None
    return _build_instance(entry, change["before"])


def _build_after(entry: Json) -> Instance | None:
    """Build the instance after the plan; one that Terraform forgets stays as it is."""
    change, actions = entry["change"], entry["change"]["actions"]
    if actions == ["forget"]:
        return _build_before(entry)
    if change.get("after") is None:
        return None
    values = merge_unknown(change["after"], change.get("after_unknown"))
    return _build_instance(entry, values, new="create" in actions)


def merge_unknown(known: Any, unknown: Any) -> Any:
    """Put `NOT_KNOWN` where `after_unknown` is true."""
    if unknown is True:
        return NOT_KNOWN
    if isinstance(unknown, dict):
        own = known if isinstance(known, dict) else {}
        return {
            name: merge_unknown(own.get(name), unknown.get(name))
            for name in dict.fromkeys((*own, *unknown))
        }
    if isinstance(unknown, list):
        listed = known if isinstance(known, list) else []
        return [merge_unknown(*pair) for pair in zip_longest(listed, unknown)]
    return known


def _build_instance(entry: Json, values: Json, *, new: bool = False) -> Instance:
    return Instance(
        address=entry["address"],
        module=parse_module_path(entry.get("module_address", "")),
        mode=entry["mode"],
        type=entry["type"],
        name=entry["name"],
        key=entry.get("index"),
        provider=str(entry.get("provider_name", "")),
        values=values,
        new=new,
    )


def parse_module_path(address: str) -> ModulePath:
    """Parse the address of a module instance, such as `module.vpc.module.endpoints["a"]`."""
    return tuple(
        (name, int(number) if number else text or None)
        for name, text, number in _STEP.findall(address)
    )


def _list_stored(state: Json, file: str) -> Iterator[Instance]:
    """List the resources of a state, module by module."""
    modules = [(state.get("values") or {}).get("root_module") or {}]
    while modules:
        module = modules.pop()
        modules += module.get("child_modules") or ()
        for entry in module.get("resources") or ():
            if not isinstance(entry, dict) or not isinstance(entry.get("values"), dict):
                raise CommandError(f"{file}: prior_state: expected resources with values")
            place = {**entry, "module_address": module.get("address", "")}
            yield _build_instance(place, entry["values"])


def _parse_module(module: Json) -> ModuleConfig:
    calls = module.get("module_calls") or {}
    return ModuleConfig(
        resources={each["address"]: each for each in module.get("resources") or ()},
        calls=calls,
        outputs=module.get("outputs") or {},
        children={name: _parse_module(call.get("module") or {}) for name, call in calls.items()},
    )


def _parse_relevant(entry: Json) -> tuple[str, str]:
    steps = entry.get("attribute") or ()
    first = next((each for each in steps if isinstance(each, str)), "")
    return str(entry.get("resource", "")), first


def _note_gaps(document: Json) -> Iterator[str]:
    if document.get("complete") is False:
        yield "The plan is not complete: it was made with -target, or changes are deferred."


def group_by_block(
    instances: Sequence[Instance],
) -> Mapping[tuple[ModulePath, str], list[Instance]]:
    """Group instances by their module instance and block, each group in the order of its keys."""
    found: dict[tuple[ModulePath, str], list[Instance]] = defaultdict(list)
    for each in instances:
        found[each.module, each.block].append(each)
    for group in found.values():
        group.sort(key=lambda it: (isinstance(it.key, str), it.key or 0))
    return found
