"""Name the elements of a policy that cost most to evaluate, where the budget is exceeded."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from posture.lean_dataclass import dataclass
from posture.policy import keys
from posture.policy.document import Statement
from posture.policy.shapes import ACTION, RESOURCE

# What work is spent on, besides the condition keys, ACTION, RESOURCE and the Allow statements.
ALL_ELEMENTS = ""  # the policy as a whole
CASES = "cases"  # the accounts and organizations that the policy tells apart
DENIALS = "denials"  # what its Deny statements leave
UNITS_PER_WILDCARD = 16  # as many as this many characters take


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a statement: its name, what it restricts, and its texts."""

    statement: Statement
    name: str
    topic: str
    texts: tuple[str, ...]
    is_limit: bool = False  # what is less than several numbers is less than one of them

    @property
    def size(self) -> int:
        """The characters of its texts."""
        return sum(map(len, self.texts))

    @property
    def weight(self) -> int:
        """How much work it makes, roughly; `*` at the end makes none."""
        texts = [each.rstrip("*") for each in (self.texts[:1] if self.is_limit else self.texts)]
        wildcards = sum(each.count("*") + each.count("?") for each in texts)
        return sum(map(len, texts)) + UNITS_PER_WILDCARD * wildcards

    @property
    def is_named(self) -> bool:
        """Whether it may name accounts or organizations."""
        topics = {RESOURCE, keys.PRINCIPAL_ARN} | keys.ORGS | keys.ACCOUNTS | keys.OWNER_KEYS
        return self.topic in topics


def list_elements(statements: Iterable[Statement]) -> Iterator[Element]:
    """Yield the elements of statements."""
    for each in statements:
        excluding = (each.excludes_principals, each.excludes_actions, each.excludes_resources)
        principal, action, resource = ("Not" if excludes else "" for excludes in excluding)
        named = each.principals
        principals = (*named.aws, *named.federated, *named.services, *named.canonical)
        yield Element(each, f"{principal}Principal", keys.PRINCIPAL_ARN, principals)
        yield Element(each, f"{action}Action", ACTION, each.actions)
        yield Element(each, f"{resource}Resource", RESOURCE, each.resources)
        for condition in each.conditions:
            is_limit = condition.operator.comparison.startswith(("less", "greater"))
            yield Element(each, str(condition), condition.lower_key, condition.values, is_limit)


def name_costly_elements(statements: Sequence[Statement], spent: Mapping[str, int]) -> str:
    """Name the elements that most of the work is probably due to; "" if there are none.

    Many small ones, such as a condition of each of a hundred statements, are named together.

    Args:
        statements: All statements.
        spent: The units, by what they were spent on.
    """
    listed = [each for each in list_elements(statements) if each.weight]
    about = _select_costly(listed, spent) or listed
    alike: dict[tuple[str, bool], list[Element]] = defaultdict(list)
    for each in about:
        alike[each.name, each.statement.allows].append(each)
    if not alike:
        return ""
    heaviest = max(alike.values(), key=lambda group: sum(each.weight for each in group))
    first = max(heaviest, key=lambda each: each.weight)
    if 2 * first.weight >= sum(each.weight for each in heaviest):
        return f"{first.name} of {first.statement}"
    effect = "Allow" if first.statement.allows else "Deny"
    count = f"{len(heaviest)} {effect} statements"
    return f"{first.name} of {count}, such as {first.statement},"


def _select_costly(listed: Iterable[Element], spent: Mapping[str, int]) -> list[Element]:
    """Select the elements that what most units were spent on is about."""
    allows = {str(each.statement) for each in listed if each.statement.allows}
    of_allows = Counter({name: units for name, units in spent.items() if name in allows})
    of_others = {name: units for name, units in spent.items() if name not in allows}
    topic = max(sorted(of_others), key=lambda name: of_others[name], default=ALL_ELEMENTS)
    total = of_allows.total()
    if total > of_others.get(topic, 0):
        name, units = of_allows.most_common(1)[0]
        searched = {name} if 2 * units > total else allows
        return [each for each in listed if str(each.statement) in searched]
    if topic == CASES:
        return [each for each in listed if each.is_named]
    if topic == DENIALS:
        return [each for each in listed if not each.statement.allows]
    return [each for each in listed if each.topic == topic]
