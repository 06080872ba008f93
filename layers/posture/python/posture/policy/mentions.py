"""What a policy names, so that one example of each kind of account and organisation will do.

Two accounts that stand in the same places of a policy cannot be told apart by it; and for wildcards
one account is found for each way in which all patterns together can tell accounts apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from posture.policy import keys
from posture.policy.automata import (
    Pattern,
    PatternSet,
    SearchBudget,
    compile_patterns,
    find_distinct_texts,
)
from posture.policy.document import Condition, Policy, Statement
from posture.policy.operators import OperatorFamily
from posture.policy.template import (
    Variable,
    compile_glob,
    find_variables,
    is_literal,
    parse_template,
)

ACCOUNT = re.compile(r"\d{12}")
ORGANIZATION = re.compile(r"o-[a-z0-9]+")
SERVICE = re.compile(r"[a-z0-9-]+")
ARN = re.compile(
    r"arn:(?P<partition>[^:]*):(?P<service>[^:]*):[^:]*:(?P<account>[^:]*):(?P<end>.+)"
)
EXTERNAL_ACCOUNTS = ("999988887777", "888877776666", "777766665555", "666655554444")
EXTERNAL_ORGANIZATIONS = ("o-stranger00", "o-outsider00", "o-somebody00")

Position = tuple[object, ...]


@dataclass(slots=True)
class MentionedNames:
    """The literal names of one kind, each with its places, and the patterns for them."""

    positions: dict[str, set[Position]] = field(default_factory=dict)
    patterns: dict[Pattern, None] = field(default_factory=dict)

    def add(self, text: str, position: Position, form: re.Pattern[str]) -> None:
        """Note a name or a pattern; what is neither is nobody's."""
        if form.fullmatch(text):
            self.positions.setdefault(text, set()).add(position)
        elif "*" in text or "?" in text:
            self.patterns[compile_glob(parse_template(text))] = None

    def examples(
        self,
        trusted: Iterable[str],
        shape: PatternSet,
        strangers: Iterable[str],
        budget: SearchBudget,
    ) -> tuple[str, ...]:
        """Give the names to try: a stranger's first, then one of every kind that is named."""
        known = {*trusted, *self.positions}
        unions = [
            compile_patterns(each)
            for each in self.patterns
            if len(each) > 1 or not each[0].repeated
        ]
        fresh = [next(each for each in strangers if each not in known)]
        if unions:
            told = [*unions, compile_patterns(*(compile_glob((each,)) for each in sorted(known)))]
            fresh += [
                each for each in find_distinct_texts(shape, told, budget) if each not in known
            ]
        trusted = frozenset(trusted)
        chosen: dict[object, str] = {}
        for name in sorted(known):
            matching = tuple(each.accepts(name) for each in unions)
            positions = frozenset(self.positions.get(name, ()))
            chosen.setdefault((name in trusted, positions, matching), name)
        return (*dict.fromkeys(fresh), *chosen.values())


@dataclass(slots=True)
class PolicyMentions:
    """Everything a policy names that decides which worlds there are."""

    accounts: MentionedNames = field(default_factory=MentionedNames)
    organizations: MentionedNames = field(default_factory=MentionedNames)
    sites: dict[str, MentionedNames] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # in lower case, and as written
    references: set[str] = field(default_factory=set)  # keys that variables refer to
    services: dict[str, None] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=list)
    literals: dict[str, list[str]] = field(default_factory=dict)  # values that keys are compared to

    @property
    def all_keys(self) -> frozenset[str]:
        """The keys that conditions and variables name."""
        return frozenset(self.keys) | self.references

    @property
    def partition(self) -> str:
        """The partition that most ARNs name."""
        counted = [each for each in self.partitions if each.startswith("aws")]
        return max(sorted(set(counted)), key=counted.count, default="aws")


def collect_mentions(policy: Policy) -> PolicyMentions:
    """Look through a policy."""
    found = PolicyMentions(
        sites={keys.SOURCE_VPC: MentionedNames(), keys.SOURCE_ENDPOINT: MentionedNames()}
    )
    for statement in policy.statements:
        for action in statement.actions:
            _service(action.partition(":")[0], found)
        for resource in statement.resources:
            _arn(resource, (statement.number, "resource"), found)
        for principal in statement.principals.aws:
            _principal(principal, statement, found)
        for condition in statement.conditions:
            _condition(policy, condition, found)
    if policy.has_variables:
        found.references |= set(_references(policy))
    return found


def _references(policy: Policy) -> Iterator[str]:
    for statement in policy.statements:
        values = (each for condition in statement.conditions for each in condition.values)
        for value in (*statement.resources, *values):
            if "${" in value:
                for reference in find_variables(parse_template(value, variables=True)):
                    yield reference.key


def _service(name: str, found: PolicyMentions) -> None:
    lowered = name.lower()  # actions are compared without regard to case
    if SERVICE.fullmatch(lowered):
        found.services[lowered] = None


def _principal(principal: str, statement: Statement, found: PolicyMentions) -> None:
    position = (statement.number, "principal")
    if ACCOUNT.fullmatch(principal):
        found.accounts.add(principal, (*position, "root"), ACCOUNT)
    else:
        _arn(principal, position, found)


def _arn(text: str, position: Position, found: PolicyMentions) -> None:
    parts = ARN.fullmatch(text)
    if parts is None:
        return
    found.partitions.append(parts["partition"])
    if position[-1] == "resource":
        _service(parts["service"], found)
    found.accounts.add(parts["account"], (*position, text.replace(parts["account"], "")), ACCOUNT)


def _condition(policy: Policy, condition: Condition, found: PolicyMentions) -> None:
    key = condition.lower_key
    found.keys.setdefault(key, condition.key)
    prefix = key.partition(":")[0]
    if prefix != "aws":
        _service(prefix, found)
    if condition.operator.family not in {OperatorFamily.STRING, OperatorFamily.ARN}:
        return
    for value in condition.values:
        parts = parse_template(value, variables=policy.has_variables)
        if any(isinstance(part, Variable) for part in parts):
            continue
        if is_literal(parts):
            found.literals.setdefault(key, []).append(value)
        _value(key, value, (id(condition),), found)


def _value(key: str, value: str, position: Position, found: PolicyMentions) -> None:
    if key in keys.CALLER_ACCOUNTS | keys.OWNER_ACCOUNTS:
        found.accounts.add(value, position, ACCOUNT)
    elif key in keys.CALLER_ORGS | keys.OWNER_ORGS:
        name, _, path = value.partition("/")
        found.organizations.add(name, (*position, path), ORGANIZATION)
    elif key in found.sites:
        found.sites[key].add(value, position, re.compile(r"vpce?-[0-9a-zA-Z]+"))
    elif key == keys.PRINCIPAL_ARN:
        _arn(value, position, found)
