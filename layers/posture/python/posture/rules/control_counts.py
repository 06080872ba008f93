"""Counts the scopes that pass and fail each control, and those that were not evaluated for it.

A control is evaluated by the results of its rules in each VPC, endpoint service, and account and
Region. A scope counts once for each control, by its worst result there. What was not evaluated is
never a pass: a fact that could not be read or decided, a scope that a former version evaluated, and
a scope in which there is nothing that the control is about, such as a service that its baseline
does not require.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any

from posture.lean_dataclass import dataclass
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Region, Scope
from posture.model.service_names import short_name
from posture.model.verdict import Status, Verdict
from posture.rules.controls import Control
from posture.rules.rule_catalogue import ACCESS_RULES, RULES, RULES_BY_ID, SERVICE_RULES, VPC_RULES

NUMBERED = re.compile(r"(\D+|^)(\d*)")


class ScopeOutcome(StrEnum):
    """What a control's rules say of one scope, the worst first."""

    FAILED = "failed"
    UNKNOWN = "unknown"  # a fact that decides it could not be read or decided
    UNRECORDED = "unrecorded"  # nothing is wrong as far as is stored, but passes are not stored
    WAIVED = "waived"  # failed, and accepted by waivers
    PASSED = "passed"
    OUT_OF_SCOPE = "out of scope"  # it has nothing that the control is about


class ControlState(StrEnum):
    """What the scopes say of a control."""

    FAIL = "fail"
    NOT_EVALUATED = "not evaluated"
    WAIVED = "waived"
    PASS = "pass"  # noqa: S105 - not a password


@dataclass(frozen=True, slots=True, order=True)
class Check:
    """A rule, or the part of it that is about one AWS service."""

    rule: str
    service: str = ""

    def __str__(self) -> str:
        return f"{self.rule}/{self.service}" if self.service else self.rule

    @classmethod
    def parse(cls, text: str) -> Check:
        """Parse the text of a check."""
        return cls(*text.partition("/")[::2])


def parse_checks(passed: frozenset[str] | None) -> frozenset[Check] | None:
    """Parse the checks that passed in a scope, as its record has them; None if it has none."""
    return None if passed is None else frozenset(map(Check.parse, passed))


@dataclass(frozen=True, slots=True)
class Shortcoming:
    """A finding that is not resolved, by its rule, resource and status."""

    rule: str
    resource: str
    status: FindingStatus

    @classmethod
    def of(cls, finding: Finding) -> Shortcoming:
        """Return what a finding says of its rule."""
        return cls(finding.rule, finding.resource, finding.status)


@dataclass(frozen=True, slots=True)
class ControlCount:
    """The scopes by what the rules of a control say of them; each scope counts once."""

    control: Control
    checks: tuple[Check, ...]
    scopes: Mapping[ScopeOutcome, int]

    @property
    def state(self) -> ControlState:
        """The state of the control: a pass only if every scope that it concerns was evaluated."""
        found = {outcome for outcome, number in self.scopes.items() if number}
        if ScopeOutcome.FAILED in found:
            return ControlState.FAIL
        if not found.isdisjoint({ScopeOutcome.UNKNOWN, ScopeOutcome.UNRECORDED}):
            return ControlState.NOT_EVALUATED
        if ScopeOutcome.WAIVED in found:
            return ControlState.WAIVED
        passed = ScopeOutcome.PASSED in found
        return ControlState.PASS if passed else ControlState.NOT_EVALUATED


class ControlTally:
    """Counts controls over scopes: `add` each scope, then `count`.

    The Region of an account whose scopes were evaluated can be read, so it counts as well.
    """

    def __init__(self) -> None:
        self._counts: dict[Control, Counter[ScopeOutcome]] = {each: Counter() for each in CONTROLS}
        self._added: set[Scope] = set()  # Regions of accounts
        self._read: dict[Scope, bool] = {}  # whether what passed in them is known

    def add(
        self, scope: Scope, bad: Iterable[Shortcoming], passed: frozenset[Check] | None
    ) -> None:
        """Add a scope.

        Args:
            scope: The scope.
            bad: Its findings that are not resolved.
            passed: The checks that at least one of its resources passed, as `list_passed_checks`
                returns them; None where that is not known.
        """
        if scope.is_monitor:
            return  # calls on the monitor say nothing of what it found
        region = Region(scope.account, scope.region).scope
        if scope.is_region:
            self._added.add(region)
        else:
            self._read[region] = self._read.get(region, True) and passed is not None
        for control, outcome in list_outcomes(scope, bad, passed):
            self._counts[control][outcome] += 1

    def count(self) -> Sequence[ControlCount]:
        """Return the counts of every control, by framework and number."""
        counts = {control: Counter(found) for control, found in self._counts.items()}
        for scope, passed in self.list_regions():
            for control, outcome in list_outcomes(scope, (), passed):
                counts[control][outcome] += 1
        return [ControlCount(control, CONTROLS[control], counts[control]) for control in CONTROLS]

    def list_regions(self) -> Sequence[tuple[Scope, frozenset[Check] | None]]:
        """List the Regions of accounts that count beside the added scopes, as `add` takes them."""
        return [
            (scope, frozenset() if known else None)
            for scope, known in sorted(self._read.items())
            if scope not in self._added
        ]


def list_outcomes(
    scope: Scope, bad: Iterable[Shortcoming], passed: frozenset[Check] | None
) -> Sequence[tuple[Control, ScopeOutcome]]:
    """List what each control that concerns a scope says of it; as `ControlTally.add`.

    An account's Region that cannot be read leaves every control undecided for what is in it.
    """
    seen = frozenset(
        (_check(each, scope), each.status)
        for each in bad
        if each.status is not FindingStatus.RESOLVED
    )
    if scope.is_monitor:
        return ()
    if scope.is_region:
        return _list_access(unread=bool(seen), unrecorded=passed is None)
    return _list_outcomes(bool(scope.vpc_id), seen, passed)


def list_passed_checks(verdicts: Iterable[Verdict]) -> frozenset[Check]:
    """List the checks that at least one resource passed, of rules that have controls."""
    return frozenset(
        check
        for verdict in verdicts
        if verdict.status is Status.PASS
        for check in _list_checks(verdict.rule, verdict.resource)
    )


def build_control_record(count: ControlCount) -> dict[str, Any]:
    """Build the record of a control's counts, as commands and the report page show it.

    Returns:
        `framework`, `id`, `text`, `source`, `state`, the numbers of scopes `passed`, `failed`,
        `waived` and `not_evaluated` with its parts `unknown`, `unrecorded` and `out_of_scope`, and
        `rules`, of which one about a single service is written `RULE/SERVICE`.
    """
    control, scopes = count.control, count.scopes
    unknown, unrecorded, outside = (
        scopes.get(each, 0)
        for each in (ScopeOutcome.UNKNOWN, ScopeOutcome.UNRECORDED, ScopeOutcome.OUT_OF_SCOPE)
    )
    return {
        "framework": control.framework,
        "id": control.id,
        "text": control.text,
        "source": control.source,
        "state": count.state.value,
        "passed": scopes.get(ScopeOutcome.PASSED, 0),
        "failed": scopes.get(ScopeOutcome.FAILED, 0),
        "waived": scopes.get(ScopeOutcome.WAIVED, 0),
        "not_evaluated": unknown + unrecorded + outside,
        "unknown": unknown,
        "unrecorded": unrecorded,
        "out_of_scope": outside,
        "rules": [str(each) for each in count.checks],
    }


def _find_controls() -> Mapping[Control, tuple[Check, ...]]:
    """Return the checks of each control, by framework and number.

    The text of a control is that of its own words where it is given, before that of a relation.
    """
    found: dict[Control, list[Check]] = {}
    for rule in RULES:
        for control in rule.controls:
            found.setdefault(control, []).append(Check(rule.id))
    for rule in RULES:
        for service, controls in rule.service_controls.items():
            for control in controls:
                checks = found.setdefault(control, [])
                if Check(rule.id) not in checks:  # which is about every service
                    checks.append(Check(rule.id, service))
    return {control: tuple(found[control]) for control in sorted(found, key=_sort_key)}


def _sort_key(control: Control) -> tuple[str, list[tuple[str, int]]]:
    """Sort by the numbers in an id, so that EC2.55 comes before EC2.172."""
    parts = NUMBERED.findall(control.id)
    return control.framework, [(letters, int(digits or 0)) for letters, digits in parts]


CONTROLS = _find_controls()
VPC_IDS, SERVICE_IDS, ACCESS_IDS = (
    frozenset(rule.id for rule in rules) for rules in (VPC_RULES, SERVICE_RULES, ACCESS_RULES)
)
WHOLE_SCOPE = "*"  # in place of the service of a finding that is about all of them

_Seen = frozenset[tuple[Check, FindingStatus]]


def _check(bad: Shortcoming, scope: Scope) -> Check:
    rule = RULES_BY_ID.get(bad.rule)
    if rule is None or not rule.service_controls:
        return Check(bad.rule)
    return Check(
        bad.rule, WHOLE_SCOPE if bad.resource == scope.subject else short_name(bad.resource)
    )


def _list_checks(rule_id: str, resource: str) -> Iterator[Check]:
    rule = RULES_BY_ID.get(rule_id)
    if rule is None or not (rule.controls or rule.service_controls):
        return
    yield Check(rule_id)
    if (service := short_name(resource)) in rule.service_controls:
        yield Check(rule_id, service)


@lru_cache(maxsize=1024)
def _list_outcomes(
    is_vpc: bool, seen: _Seen, passed: frozenset[Check] | None
) -> Sequence[tuple[Control, ScopeOutcome]]:
    """List the outcomes of a VPC or endpoint service; many have the same ones."""
    ids = VPC_IDS if is_vpc else SERVICE_IDS
    outcomes = []
    for control, checks in CONTROLS.items():
        if own := [each for each in checks if each.rule in ids]:
            outcomes.append((control, _find_outcome(own, seen, passed)))
    return outcomes


@lru_cache(maxsize=4)
def _list_access(*, unread: bool, unrecorded: bool) -> Sequence[tuple[Control, ScopeOutcome]]:
    """List the outcomes of an account's Region: everything in it is unknown while it is unread."""
    if unread:
        return [(control, ScopeOutcome.UNKNOWN) for control in CONTROLS]
    outcome = ScopeOutcome.UNRECORDED if unrecorded else ScopeOutcome.PASSED
    return [
        (control, outcome)
        for control, checks in CONTROLS.items()
        if any(each.rule in ACCESS_IDS for each in checks)
    ]


def _find_outcome(
    checks: Sequence[Check], seen: _Seen, passed: frozenset[Check] | None
) -> ScopeOutcome:
    """Find the worst of what a control's checks found in one scope."""
    found = {status for check in checks for other, status in seen if _concerns(check, other)}
    if FindingStatus.OPEN in found:
        return ScopeOutcome.FAILED
    if FindingStatus.UNKNOWN in found:
        return ScopeOutcome.UNKNOWN
    if passed is None:
        return ScopeOutcome.UNRECORDED
    if FindingStatus.WAIVED in found:
        return ScopeOutcome.WAIVED
    return ScopeOutcome.OUT_OF_SCOPE if passed.isdisjoint(checks) else ScopeOutcome.PASSED


def _concerns(check: Check, other: Check) -> bool:
    return check.rule == other.rule and (
        not check.service or other.service in {check.service, WHOLE_SCOPE}
    )
