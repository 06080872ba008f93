"""The actions of each service and the ARNs that they apply to.

`make docs` writes `service_reference.txt` from AWS's service reference.
https://docs.aws.amazon.com/service-authorization/latest/reference/service-reference.html
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from posture.lean_dataclass import dataclass

PATH = Path(__file__).with_suffix(".txt")


@dataclass(frozen=True, slots=True)
class ActionGroup:
    """Actions that apply to the same kinds of resources; without ARNs, to none.

    In an ARN, which starts behind its partition, `{}` stands for a name and `{*}` for any text.
    """

    actions: tuple[str, ...]
    arns: tuple[str, ...]


@cache
def _read() -> dict[str, str]:
    lines = (each.partition("\t") for each in PATH.read_text(encoding="utf-8").splitlines())
    return {prefix: rest for prefix, _, rest in lines}


def is_service(prefix: str) -> bool:
    """Return whether the service reference has the actions of a prefix."""
    return prefix in _read()


@cache
def list_action_groups(prefix: str) -> tuple[ActionGroup, ...]:
    """Return the actions of a service; none if the reference does not have it."""
    arns, _, groups = _read().get(prefix, "").partition("\t")
    known = arns.split()
    found: list[ActionGroup] = []
    for group in filter(None, groups.split(";")):
        numbers, _, actions = group.partition(":")
        named = tuple(known[int(each)] for each in numbers.split(",") if each)
        found.append(ActionGroup(tuple(actions.split()), named))
    return tuple(found)


@cache
def group_by_arn(prefix: str) -> tuple[ActionGroup, ...]:
    """Return for each ARN of a service the actions that apply to it."""
    groups = list_action_groups(prefix)
    found: dict[str, list[str]] = {}
    for each in groups:
        for arn in each.arns:
            found.setdefault(arn, []).extend(each.actions)
    return tuple(ActionGroup(tuple(actions), (arn,)) for arn, actions in found.items())


@cache
def list_service_arns(prefix: str) -> tuple[str, ...] | None:
    """Return the ARNs that the actions of a service apply to; None if it is not known."""
    if not is_service(prefix):
        return None
    return tuple(dict.fromkeys(arn for each in list_action_groups(prefix) for arn in each.arns))


def has_actions(prefix: str, *, with_resource: bool) -> bool:
    """Return whether a service has actions that apply to resources, or to none.

    Of a service that the reference does not have, actions may apply to resources.
    """
    groups = list_action_groups(prefix)
    return any(bool(each.arns) == with_resource for each in groups) or (
        with_resource and not groups
    )


def find_group(action: str) -> ActionGroup | None:
    """Return the group of an action, such as `s3:GetObject`. Case is ignored."""
    prefix, _, name = action.lower().partition(":")
    return _index(prefix).get(name, (None, ""))[0]


def write_action(action: str) -> str:
    """Return an action as the reference writes it."""
    prefix, _, name = action.partition(":")
    return f"{prefix}:{_index(prefix.lower()).get(name.lower(), (None, name))[1]}"


@cache
def _index(prefix: str) -> dict[str, tuple[ActionGroup | None, str]]:
    groups = list_action_groups(prefix)
    return {name.lower(): (each, name) for each in groups for name in each.actions}
