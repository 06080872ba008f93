"""One endpoint policy: its context, its verdict, and the rule results built from it."""

from __future__ import annotations

import json
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from weakref import proxy

from posture.analysis.endpoint_contexts import supports_policy
from posture.edits.format import format_sequence
from posture.edits.operations.endpoints import ModifyVpcEndpoint
from posture.model.network import Endpoint
from posture.model.verdict import Evidence, Remediation, Status
from posture.policy import (
    DecidedPolicy,
    MalformedPolicyError,
    PolicyAnswer,
    PolicyCheck,
    QuestionResult,
)
from posture.policy.decide import MAX_UNITS
from posture.policy.descriptions import build_request_record, describe_request
from posture.policy.needs.check import LEAST_NEED_UNITS, NEED_UNITS
from posture.rules.contexts import VPC_POLICY_UNITS, VpcContext
from posture.rules.evidence import format_endpoint
from posture.rules.remediation import list_remediations
from posture.rules.remediation.policies import generate_least_policy
from posture.rules.result import RuleResult, failed

if TYPE_CHECKING:
    from posture.policy.suggest import SuggestedPolicy

MOST_STOPPED = 6  # features that a text names
# What most workloads use, named first.
COMMON = ("ecr", "ssm", "amazon-linux", "cloudformation", "cloudwatch-agent", "patch")


def _is_rare(feature: str) -> bool:
    return feature not in COMMON


class EndpointPolicyContext:
    """An endpoint, its policy's verdict and the results that rules build from it.

    The context of its VPC, which remembers it, is to outlive it. In a cycle, both and all that
    hangs off them would wait for Python's garbage collector.
    """

    def __init__(self, vpc: VpcContext, endpoint: Endpoint) -> None:
        self.vpc: VpcContext = proxy(vpc)
        self.endpoint = endpoint

    @cached_property
    def name(self) -> str:
        """The endpoint's id with its service."""
        return format_endpoint(self.endpoint)

    @cached_property
    def supported(self) -> bool | None:
        """Whether the service supports endpoint policies, or None where EC2 does not return it."""
        return supports_policy(self.vpc.snapshot, self.endpoint)

    @cached_property
    def expected(self) -> PolicyCheck:
        """The endpoint and the trusted accounts that the policy is checked against."""
        return self.vpc.build_policy_check(self.endpoint)

    @cached_property
    def decided(self) -> DecidedPolicy:
        """The policy's verdict.

        Raises:
            MalformedPolicyError: The policy is not a valid policy document.
        """
        decided = self.vpc.policies[self.endpoint.id]
        if isinstance(decided, MalformedPolicyError):
            raise decided
        return decided

    @cached_property
    def undecided(self) -> RuleResult | None:
        """The result that says why the policy has no verdict; None where it has one."""
        if self.supported is False:
            summary = f"{self.name}: the service does not support endpoint policies"
            return self.build_result(Status.NOT_APPLICABLE, summary)
        if self.endpoint.policy is None:
            why = "EC2 returned no policy"
            return self.build_unknown(f"{self.name}: {why}", why)
        try:
            _ = self.decided
        except MalformedPolicyError as error:
            return self.build_unknown(f"{self.name}: the policy cannot be parsed", str(error))
        return None

    def build_result(self, status: Status, summary: str, *evidence: Evidence) -> RuleResult:
        """Build a result for the endpoint."""
        return RuleResult(self.endpoint.id, summary, evidence, status=status)

    def build_unknown(self, summary: str, why: str) -> RuleResult:
        """Build an unknown result with its reason."""
        record = {"endpoint": self.endpoint.id, "why": why}
        fact = Evidence(f"{self.endpoint.id}: {why}.", record)
        return self.build_result(Status.UNKNOWN, summary, fact)

    def build_answer(self, finding: QuestionResult, *, what: str, safe: str) -> RuleResult:
        """Build the result of one question about the policy.

        Args:
            finding: The answer; yes fails the rule.
            what: The phrase for a policy that fails, such as `allows full access`.
            safe: The phrase for a policy that passes.
        """
        if finding.answer is PolicyAnswer.NO:
            summary = f"the policy of {self.name} {safe}"
            return self.build_result(Status.PASS, summary, *self._exception_evidence(finding))
        if finding.answer is PolicyAnswer.UNKNOWN:
            summary = f"whether the policy of {self.name} {what} is not known: {finding.reason}"
            return self.build_unknown(summary, finding.reason)
        return failed(
            resource=self.endpoint.id,
            summary=f"the policy of {self.name} {what}",
            evidence=(self._example_evidence(finding), *self._lint_evidence()),
            propose=self._list_remediations,
        )

    def _example_evidence(self, finding: QuestionResult) -> Evidence:
        policy, request = self.decided.policy, finding.request
        by = f", by {finding.statement}" if finding.statement else ""
        example, record = finding.reason, None
        if request:
            record = build_request_record(request, policy)
            example = describe_request(request, policy, record=record)
        return Evidence(
            f"For example, {example}{by}.",
            {
                "endpoint": self.endpoint.id,
                "witness": json.dumps(record, sort_keys=True),
                "statement": self._statement_text(finding),
            },
        )

    def _statement_text(self, finding: QuestionResult) -> str:
        """Return the statement that allows the example, as it is written."""
        if finding.statement is None:
            return ""
        return _quote_statement(self.endpoint.policy or "", finding.statement.number)

    def _lint_evidence(self) -> tuple[Evidence, ...]:
        return tuple(
            Evidence(
                remark.text,
                {"endpoint": self.endpoint.id, "lint": remark.id, "source": remark.source},
            )
            for remark in self.decided.lints
        )

    def _exception_evidence(self, finding: QuestionResult) -> tuple[Evidence, ...]:
        return tuple(
            Evidence(
                f"Still allowed: {describe_request(each, self.decided.policy)}.",
                {"action": each.action, "resource": each.resource},
            )
            for each in finding.exceptions
        )

    def _list_remediations(self) -> list[Remediation]:
        """Return the changes of the policy that deny untrusted access, the smallest first."""
        from posture.policy.suggest import suggest_policies  # noqa: PLC0415 - few findings need it

        suggested = suggest_policies(
            self.endpoint.policy or "", self.decided.decision, self.expected, self._units
        )
        return [self._describe_suggestion(each) for each in suggested] or [
            Remediation(
                "Write a policy that allows only your own principals and resources, with the "
                "condition keys aws:PrincipalOrgID or aws:PrincipalAccount and aws:ResourceOrgID "
                "or aws:ResourceAccount."
            )
        ]

    def _describe_suggestion(self, suggested: SuggestedPolicy) -> Remediation:
        what = (
            "Deny access that the baseline does not trust. The policy keeps all other access"
            if suggested.keeps_rest
            else "Allow only trusted access and what required services need. The policy is shorter"
        )
        stops = ""
        if suggested.stops:
            named = sorted(suggested.stops, key=_is_rare)
            more = len(named) - MOST_STOPPED
            most = ", ".join(named[:MOST_STOPPED]) + (f" and {more} more" * (more > 0))
            stops = f" It stops these, unless aws_owned_resources names them: {most}."
        text = f"{what}, and was checked to allow no untrusted access.{stops}"
        return Remediation(text, self._write_command(suggested.text))

    def remedy_needs(self, advice: str) -> Remediation:
        """Return the change of the policy that lets what is required through, or an advice."""
        from posture.policy.suggest import suggest_for_needs  # noqa: PLC0415 - as above

        suggested = suggest_for_needs(
            self.endpoint.policy or "", self.decided.decision, self.expected, self._units
        )
        if suggested is None:
            return Remediation(advice)
        text = "Add the statements that let these requests through, and nothing else untrusted."
        return Remediation(text, self._write_command(suggested))

    def list_replacements(self, advice: str) -> tuple[Remediation, ...]:
        """Return the change to the least policy that lets needs through, or an advice."""
        least = generate_least_policy(self.vpc, self.endpoint)
        text = "Replace the policy by the least one that lets trusted principals and these through."
        return list_remediations(
            (
                text,
                [ModifyVpcEndpoint(vpc_endpoint_id=self.endpoint.id, policy_document=least)]
                if least
                else None,
            ),
            otherwise=advice,
        )

    @property
    def need_units(self) -> int:
        """The work that the needs of the policy may take: those of a VPC share it."""
        # Halves of the maximum, so that answers are found in the cache.
        units = NEED_UNITS
        while units > max(self._share, LEAST_NEED_UNITS):
            units //= 2
        return units

    @property
    def _units(self) -> int:
        """The work that deciding each suggestion may take."""
        return min(MAX_UNITS // 2, self._share)

    @property
    def _share(self) -> int:
        """The share of each policy of a quarter of the work on those of the VPC."""
        return VPC_POLICY_UNITS // (4 * len(self.vpc.policies))

    def _write_command(self, policy: str) -> str:
        """Return the command that gives the endpoint a policy, on one line."""
        compact = json.dumps(json.loads(policy), separators=(",", ":"))
        edit = ModifyVpcEndpoint(vpc_endpoint_id=self.endpoint.id, policy_document=compact)
        return format_sequence((edit,))


@lru_cache(maxsize=64)  # most policies are the same text at many endpoints
def _quote_statement(policy: str, number: int) -> str:
    stated = json.loads(policy)["Statement"]
    statements = stated if isinstance(stated, list) else [stated]
    return json.dumps(statements[number - 1], sort_keys=True)
