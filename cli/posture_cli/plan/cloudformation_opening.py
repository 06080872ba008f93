"""Opens the stacks of a plan, with the values that stacks pass to each other and to nested ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from posture_cli.plan.cloudformation_sources import DeployedStack, StackSource
from posture_cli.plan.cloudformation_stack import PlannedStack
from posture_cli.plan.intrinsics import StackContext
from posture_cli.plan.rows import PlannedRegion
from posture_cli.plan.values import Unknown


@dataclass(frozen=True, slots=True)
class StackPlan:
    """A stack to build: `only` limits it to the resources that a deployment leaves behind."""

    source: StackSource
    name: str | None
    parameters: Mapping[str, Any]
    physical_ids: Mapping[str, str]
    stack_id: str | None = None
    only: frozenset[str] | None = None
    former: StackPlan | None = None


class Exports(Mapping[Any, Any]):
    """The exports and outputs of the stacks of a plan, evaluated when they are asked for."""

    def __init__(self) -> None:
        self.stacks: Sequence[PlannedStack] = ()

    def __getitem__(self, name: Any) -> Any:
        for stack in self.stacks:
            if isinstance(name, tuple):
                if stack.settings.name == name[0] and name[1] in stack.template.outputs:
                    return stack.get_output(name[1])
                continue
            for export, output in stack.list_exports():
                if export == name:
                    return stack.get_output(output)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (export for stack in self.stacks for export, _ in stack.list_exports())

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _ChildParameters(Mapping[str, Any]):
    """The parameters that a stack passes to a nested one, evaluated when they are asked for."""

    def __init__(self, parent: PlannedStack, logical_id: str) -> None:
        self._parent = parent
        self._place = f"Resources.{logical_id}.Properties.Parameters"
        self._given = parent.template.get_properties(logical_id).get("Parameters") or {}

    def __getitem__(self, name: str) -> Any:
        return self._parent.evaluator.evaluate(self._given[name], f"{self._place}.{name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def plan_deployed(stack: DeployedStack) -> StackPlan:
    """Return the plan of a stack as it is deployed."""
    return StackPlan(
        StackSource(stack.template),
        stack.name,
        stack.parameters,
        stack.physical_ids,
        stack.stack_id,
    )


def open_stack(
    plan: StackPlan, region: PlannedRegion, exports: Exports, *, several: bool
) -> PlannedStack:
    """Open a stack, as it was before where it is deployed, and those nested in it.

    Args:
        plan: The stack.
        region: The Region that its resources are added to.
        exports: What the stacks of the plan export.
        several: Whether there are several, so that the stack's name is part of each address.
    """
    settings = StackContext(
        plan.name or Unknown("the stack's name"),
        region.account,
        region.region,
        plan.parameters,
        exports,
        plan.stack_id,
        f"{plan.name}." if several and plan.name else "",
    )
    former = plan.former
    opened = None if former is None else open_stack(former, region, exports, several=several)
    stack = PlannedStack(
        plan.source.template,
        settings,
        region,
        plan.physical_ids,
        only=plan.only,
        former=opened,
    )
    _open_children(stack, plan.source)
    return stack


def _open_children(stack: PlannedStack, source: StackSource) -> None:
    """Open the nested stacks of a stack."""
    for logical_id, nested in source.nested.items():
        settings = replace(
            stack.settings,
            name=Unknown("the nested stack's name"),
            parameters=_ChildParameters(stack, logical_id),
            stack_id=None,
            prefix=f"{stack.prefix}{logical_id}.",
        )
        child = PlannedStack(nested.template, settings, stack.region, parent=(stack, logical_id))
        stack.children[logical_id] = child
        _open_children(child, nested)
