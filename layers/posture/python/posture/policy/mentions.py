"""Collect what a policy names, and choose one example of everything that it treats alike.

A policy cannot distinguish two accounts that it names at the same positions. For wildcards one
account is found for every combination of patterns that match it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import field

from posture.lean_dataclass import dataclass
from posture.policy import keys
from posture.policy.automata import (
    Pattern,
    PatternSet,
    compile_patterns,
    find_distinct_texts,
    find_shortest_text,
)
from posture.policy.document import Condition, Policy, Statement
from posture.policy.operators import OperatorFamily
from posture.policy.search_budget import SearchBudget
from posture.policy.template import (
    Variable,
    compile_glob,
    compile_globs,
    find_variables,
    is_literal,
    parse_template,
)

ACCOUNT = re.compile(r"\d{12}")
ORGANIZATION = re.compile(r"o-[a-z0-9]+")
SERVICE = re.compile(r"[a-z0-9-]+")
SOURCE = re.compile(r"vpce?-[0-9a-zA-Z]+")
ARN = re.compile(
    r"arn:(?P<partition>[^:]*):(?P<service>[^:]*):[^:]*:(?P<account>[^:]*):(?P<end>.+)"
)
EXTERNAL_ACCOUNTS = ("999988887777", "888877776666", "777766665555", "666655554444")
# The last two have the prefix of the first: a policy may compare them with `${…}*`.
EXTERNAL_ORGANIZATIONS = ("o-example0001", "o-example0002", "o-example00011", "o-example000")

Position = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class NameForm:
    """The form of names of one kind, names that are free to use, and how many more to try."""

    shape: PatternSet
    external: tuple[str, ...]
    others: int


@dataclass(slots=True)
class MentionedNames:
    """The literal names of one kind, each with its positions, and the patterns at each position.

    A policy cannot distinguish which of the patterns at one position a name matches.
    """

    positions: dict[str, set[Position]] = field(default_factory=dict)
    patterns: dict[Position, dict[Pattern, None]] = field(default_factory=dict)

    def add(self, text: str, position: Position, form: re.Pattern[str]) -> None:
        """Add a name of the given form, or a pattern; anything else is ignored."""
        if form.fullmatch(text):
            self.positions.setdefault(text, set()).add(position)
        elif "*" in text or "?" in text:
            self.patterns.setdefault(position, {})[compile_glob(parse_template(text))] = None

    def pick_one_per_position(self) -> list[str]:
        """Return one name for each set of positions."""
        chosen: dict[object, str] = {}
        for name, positions in sorted(self.positions.items()):
            chosen.setdefault(frozenset(positions), name)
        return list(chosen.values())

    def choose_examples(
        self, trusted: Iterable[str], own: str, form: NameForm, budget: SearchBudget
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Choose the names to try.

        Args:
            trusted: The trusted names.
            own: The name of the endpoint's owner if the policy can distinguish it, else "".
            form: The form of all names.
            budget: Pays for the search for names that match the patterns.

        Returns:
            One name of every kind that the policy can distinguish, an untrusted one first; and
            another of each kind that has one, so that two parties may be of one kind.
        """
        trusted = frozenset(trusted)
        known = {*trusted, *self.positions} | ({own} if own else set())
        sets = [
            compile_patterns(*listed)
            for listed in dict.fromkeys(map(tuple, self.patterns.values()))
            if not any(len(each) == 1 and each[0].repeated for each in listed)
        ]
        tokens = sum(len(each) for listed in self.patterns.values() for each in listed)
        budget.spend(2 * tokens + len(known) * (1 + sum(16 * each.weight for each in sets)))
        fresh = [each for each in form.external if each not in known]
        kinds: dict[tuple[bool, frozenset[Position], tuple[bool, ...], bool], list[str]] = {}
        others = [*fresh]
        if sets or not fresh:
            distinct = find_distinct_texts(
                form.shape, [*sets, compile_globs(sorted(known))], budget
            )
            others += [each for each in distinct if each not in known]
        for name in (*others, *sorted(known)):
            matching = tuple(each.accepts(name) for each in sets)
            positions = frozenset(self.positions.get(name, ()))
            kind = name in trusted, positions, matching, name == own
            kinds.setdefault(kind, []).append(name)
        for (is_trusted, positions, matching, _), names in list(kinds.items()):
            if form.others and len(names) == 1 and not is_trusted and not positions:
                excluded = [compile_globs([*sorted(known), *names])]
                required = [form.shape]
                for each, is_match in zip(sets, matching, strict=True):
                    (required if is_match else excluded).append(each)
                names.extend(filter(None, [find_shortest_text(required, excluded, budget)]))
        firsts = tuple(names[0] for names in kinds.values())
        return firsts, tuple(name for names in kinds.values() for name in names[1:][: form.others])


@dataclass(slots=True)
class PolicyMentions:
    """Everything a policy names that decides which request cases there are.

    Attributes:
        accounts: Account IDs.
        organizations: Organization IDs.
        sources: VPC and endpoint IDs, by condition key.
        keys: The keys of conditions, in lower case.
        variables: The keys that policy variables name.
        services: The prefixes of actions and keys, and the services in ARNs.
        partitions: The partitions in ARNs.
        literals: The literal values that keys are compared with.
    """

    accounts: MentionedNames = field(default_factory=MentionedNames)
    organizations: MentionedNames = field(default_factory=MentionedNames)
    sources: dict[str, MentionedNames] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    services: dict[str, None] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=list)
    literals: dict[str, list[str]] = field(default_factory=dict)

    @property
    def all_keys(self) -> frozenset[str]:
        """The keys that conditions and variables name."""
        return frozenset(self.keys | self.variables)

    @property
    def partition(self) -> str:
        """The partition that most ARNs name."""
        counted = [each for each in self.partitions if each.startswith("aws")]
        return max(sorted(set(counted)), key=counted.count, default="aws")


def collect_mentions(policy: Policy) -> PolicyMentions:
    """Collect what a policy names."""
    found = PolicyMentions(
        sources={keys.SOURCE_VPC: MentionedNames(), keys.SOURCE_ENDPOINT: MentionedNames()}
    )
    for statement in policy.statements:
        for action in statement.actions:
            _add_service(action.partition(":")[0], found)
        for resource in statement.resources:
            _add_arn(resource, (statement.number, "resource"), found)
        for principal in statement.principals.aws:
            _add_principal(principal, statement, found)
        for condition in statement.conditions:
            _add_condition(policy, condition, found)
    if policy.has_variables:
        found.variables |= set(_list_variables(policy))
    return found


def _list_variables(policy: Policy) -> Iterator[str]:
    for statement in policy.statements:
        values = (each for condition in statement.conditions for each in condition.values)
        for value in (*statement.resources, *values):
            if "${" in value:
                for variable in find_variables(parse_template(value, variables=True)):
                    yield variable.key


def _add_service(name: str, found: PolicyMentions) -> None:
    lowered = name.lower()  # the case of actions is ignored
    if SERVICE.fullmatch(lowered):
        found.services[lowered] = None


def _add_principal(principal: str, statement: Statement, found: PolicyMentions) -> None:
    position = (statement.number, "principal")
    if ACCOUNT.fullmatch(principal):
        found.accounts.add(principal, (*position, "root"), ACCOUNT)
    else:
        _add_arn(principal, position, found)


def _add_arn(text: str, position: Position, found: PolicyMentions) -> None:
    parts = ARN.fullmatch(text)
    if parts is None:
        return
    found.partitions.append(parts["partition"])
    if position[-1] == "resource":
        _add_service(parts["service"], found)
    account = parts["account"]
    rest = text[: parts.start("account")], text[parts.end("account") :]
    if ACCOUNT.fullmatch(account):
        rest = text.replace(account, ""), ""
    found.accounts.add(account, (*position, *rest), ACCOUNT)


def _add_condition(policy: Policy, condition: Condition, found: PolicyMentions) -> None:
    key = condition.lower_key
    found.keys.add(key)
    prefix = key.partition(":")[0]
    if prefix != "aws":
        _add_service(prefix, found)
    if condition.operator.family not in {OperatorFamily.STRING, OperatorFamily.ARN}:
        return
    for value in condition.values:
        parts = parse_template(value, variables=policy.has_variables)
        if any(isinstance(part, Variable) for part in parts):
            continue
        if is_literal(parts):
            found.literals.setdefault(key, []).append(value)
        _add_value(key, value, (id(condition),), found)


def _add_value(key: str, value: str, position: Position, found: PolicyMentions) -> None:
    if key in keys.CALLER_ACCOUNTS | keys.OWNER_ACCOUNTS:
        found.accounts.add(value, position, ACCOUNT)
    elif key in keys.CALLER_ORGS | keys.OWNER_ORGS:
        name, _, path = value.partition("/")
        found.organizations.add(name, (*position, path), ORGANIZATION)
    elif key == keys.SOURCE_VPC_ARN:
        name = value.rpartition("/")[2]
        found.sources[keys.SOURCE_VPC].add(name, (*position, value[: -len(name)]), SOURCE)
    elif key in found.sources:
        found.sources[key].add(value, position, SOURCE)
    elif key == keys.PRINCIPAL_ARN:
        _add_arn(value, position, found)
