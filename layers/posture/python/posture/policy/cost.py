"""Name the element of a policy that costs most to evaluate, where the budget is exceeded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.lean_dataclass import dataclass
from posture.policy import keys
from posture.policy.document import Policy, Statement
from posture.policy.shapes import ACTION, RESOURCE

ALL_ELEMENTS = ""  # the topic of work on the policy as a whole


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a statement: its name, what it restricts, its characters and its wildcards."""

    statement: Statement
    name: str
    topic: str
    size: int
    wildcards: int


def list_elements(policy: Policy) -> Iterator[Element]:
    """Yield the elements of all statements."""
    for each in policy.statements:
        excluding = (each.excludes_principals, each.excludes_actions, each.excludes_resources)
        principal, action, resource = ("Not" if excludes else "" for excludes in excluding)
        named = each.principals
        principals = (*named.aws, *named.federated, *named.services, *named.canonical)
        yield _measure(each, f"{principal}Principal", keys.PRINCIPAL_ARN, principals)
        yield _measure(each, f"{action}Action", ACTION, each.actions)
        yield _measure(each, f"{resource}Resource", RESOURCE, each.resources)
        for condition in each.conditions:
            yield _measure(each, str(condition), condition.lower_key, condition.values)


def _measure(statement: Statement, name: str, topic: str, values: Iterable[str]) -> Element:
    texts = tuple(values)
    wildcards = sum(text.count("*") + text.count("?") for text in texts)
    return Element(statement, name, topic, sum(map(len, texts)), wildcards)


def find_costly_element(policy: Policy, topic: str) -> str:
    """Name the element that the work on a topic is most probably due to; "" if there is none.

    Args:
        policy: The policy.
        topic: A condition key, ACTION, RESOURCE, the name of a statement, or ALL_ELEMENTS.
    """
    listed = list(list_elements(policy))
    about = [each for each in listed if topic in {each.topic, str(each.statement)}] or listed
    found = max(about, key=lambda each: (each.wildcards, each.size), default=None)
    return f"{found.name} of {found.statement}" if found else ""
