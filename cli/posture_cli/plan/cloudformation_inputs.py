"""Plans the stacks of templates with the files and values that are given beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from posture_cli.failure import CommandError
from posture_cli.plan.cloudformation import PlanSettings, plan_cloudformation
from posture_cli.plan.cloudformation_mapping import ADD
from posture_cli.plan.cloudformation_sources import (
    DeployedStack,
    StackSource,
    list_replaced,
    name_parameters,
    read_change_set,
    read_deployed,
    read_parameters,
    read_source,
)
from posture_cli.plan.planned import PlannedChange


@dataclass(frozen=True, slots=True)
class CloudFormationOptions:
    """The files and values beside a template.

    Attributes:
        parameters: Values as NAME=VALUE or STACK:NAME=VALUE.
        stack_resources: Outputs of `aws cloudformation describe-stack-resources`.
        deployed_template: The template that the stack was deployed from.
        change_set: The output of `aws cloudformation describe-change-set`.
    """

    parameters: Sequence[str] = ()
    stack_resources: Sequence[Path] = ()
    deployed_template: Path | None = None
    change_set: Path | None = None


def has_network(sources: Sequence[StackSource]) -> bool:
    """Return whether any template has network resources."""
    return any(
        any(body["Type"] in ADD for body in source.template.resources.values())
        or has_network(list(source.nested.values()))
        for source in sources
    )


def plan_sources(
    path: Path,
    sources: Sequence[StackSource],
    settings: PlanSettings,
    options: CloudFormationOptions,
) -> list[PlannedChange]:
    """Plan the stacks of a template or of the folder that `cdk synth` writes.

    Args:
        path: The template or folder, for errors.
        sources: What was read from it.
        settings: What a person states, without parameters and deployed stacks.
        options: What else was given.

    Raises:
        CommandError: A file has the wrong form; the error names the file and the place.
    """
    change_set = read_change_set(options.change_set) if options.change_set else None
    parameters = name_parameters(options.parameters, sources)
    if change_set is not None:
        own = sources[0].template.parameters if len(sources) == 1 else {}
        stated = {k: v for k, v in read_parameters(change_set).items() if k in own}
        parameters = {**parameters, None: {**stated, **parameters.get(None, {})}}
    deployed: dict[str | None, DeployedStack] = {}
    if options.stack_resources:
        former = options.deployed_template
        template = None if former is None else read_source(former)
        for file in options.stack_resources:
            stack = read_deployed(file, template, change_set, sources[0].template)
            name = _match_source(file, stack, sources)
            if any(each.nested for each in sources if each.name == name):
                raise CommandError(
                    f"{file}: the nested stacks of a deployed stack have resources of their own; "
                    "plan each nested template with the resources of its own stack"
                )
            deployed[name] = stack
    elif change_set or options.deployed_template:
        raise CommandError(
            f"{path}: expected the resources of the deployed stack, too: give --stack-resources "
            "FILE, written by aws cloudformation describe-stack-resources"
        )
    replaced = list_replaced(change_set) if change_set else {}
    found = replace(settings, parameters=parameters, deployed=deployed, replaced=replaced)
    changes = plan_cloudformation(sources, found)
    if not has_network(sources):
        note = f"{path} has no network resources."
        return [replace(each, notes=(*each.notes, note)) for each in changes]
    return changes


def _match_source(file: Path, stack: DeployedStack, sources: Sequence[StackSource]) -> str | None:
    """Find the source that a deployed stack belongs to, by its name."""
    if len(sources) == 1:
        return sources[0].name
    if stack.name in {each.name for each in sources}:
        return stack.name
    names = ", ".join(sorted(each.name or "" for each in sources))
    raise CommandError(f"{file}: StackName: expected one of {names}, found {stack.name}")
