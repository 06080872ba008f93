"""One endpoint's policy as a rule sees it: where it stands, its verdict, evidence and remedy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

from posture.analysis.endpoint_contexts import build_endpoint_context, supports_policy
from posture.model.network import Endpoint
from posture.model.verdict import Evidence, Remediation, Status
from posture.policy import (
    DecidedPolicy,
    MalformedPolicyError,
    PolicyAnswer,
    PolicyCheck,
    QuestionResult,
    Trust,
    decide_policy_text,
)
from posture.policy.descriptions import describe_request, result_record
from posture.policy.suggest import suggest_policy
from posture.rules.evidence import format_endpoint
from posture.rules.rule import RuleResult, VpcContext


@dataclass(frozen=True)
class EndpointPolicyContext:
    """An endpoint, and what the baseline expects of its policy."""

    vpc: VpcContext
    endpoint: Endpoint

    @property
    def name(self) -> str:
        """The endpoint with its service."""
        return format_endpoint(self.endpoint)

    @property
    def supported(self) -> bool | None:
        """Whether the service takes a policy; None where EC2 does not tell."""
        return supports_policy(self.vpc.snapshot, self.endpoint)

    @property
    def expected(self) -> PolicyCheck:
        """Where the policy stands, and whom it may trust."""
        baseline = self.vpc.baseline
        return PolicyCheck(
            build_endpoint_context(self.vpc.snapshot, self.endpoint),
            Trust(baseline.trusted_accounts, baseline.trusted_organizations),
            self.vpc.snapshot.observed_at,
            baseline.allowed_actions,
        )

    @cached_property
    def decided(self) -> DecidedPolicy:
        """The verdict.

        Raises:
            UnreadablePolicyError: the policy is no policy document.
        """
        return decide_policy_text(self.endpoint.policy or "", self.expected)

    def unread(self) -> RuleResult | None:
        """Say why there is no verdict, where there is none."""
        if self.supported is False:
            summary = f"{self.name}: the service supports no endpoint policy"
            return self.judged(Status.NOT_APPLICABLE, summary)
        if self.endpoint.policy is None:
            return self.unknown(f"{self.name}: EC2 told no policy", "no policy was told")
        try:
            _ = self.decided
        except MalformedPolicyError as error:
            return self.unknown(f"{self.name}: the policy cannot be read", str(error))
        return None

    def judged(self, status: Status, summary: str, *evidence: Evidence) -> RuleResult:
        """Give a judgement on the endpoint."""
        return RuleResult(self.endpoint.id, status, summary, evidence)

    def unknown(self, summary: str, why: str) -> RuleResult:
        """Give a judgement that is none, with its reason."""
        record = {"endpoint": self.endpoint.id, "why": why}
        fact = Evidence(f"{self.endpoint.id}: {why}.", record)
        return self.judged(Status.UNKNOWN, summary, fact)

    def answered(self, finding: QuestionResult, *, what: str, safe: str) -> RuleResult:
        """Turn an answer into a judgement: `what` says what yes means, `safe` what no means."""
        if finding.answer is PolicyAnswer.NO:
            return self.judged(Status.PASS, f"{self.name} {safe}", *self._exceptions(finding))
        if finding.answer is PolicyAnswer.UNKNOWN:
            summary = f"whether the policy of {self.name} {what} is not known: {finding.reason}"
            return self.unknown(summary, finding.reason)
        return RuleResult(
            resource=self.endpoint.id,
            status=Status.FAIL,
            summary=f"the policy of {self.name} {what}",
            evidence=(self._example(finding), *self._remarks()),
            remediation=self._remedy(),
        )

    def _example(self, finding: QuestionResult) -> Evidence:
        policy = self.decided.policy
        by = f", by {finding.statement}" if finding.statement else ""
        example = describe_request(finding.request, policy) if finding.request else finding.reason
        return Evidence(
            f"For example, {example}{by}.",
            {
                "endpoint": self.endpoint.id,
                "witness": json.dumps(result_record(finding, policy)["witness"], sort_keys=True),
                "statement": self._statement(finding),
            },
        )

    def _statement(self, finding: QuestionResult) -> str:
        """Give the statement that lets the example in, as it is written."""
        if finding.statement is None:
            return ""
        stated = json.loads(self.endpoint.policy or "")["Statement"]
        statements = stated if isinstance(stated, list) else [stated]
        return json.dumps(statements[finding.statement.number - 1], sort_keys=True)

    def _remarks(self) -> tuple[Evidence, ...]:
        return tuple(
            Evidence(remark.text, {"endpoint": self.endpoint.id, "lint": remark.id})
            for remark in self.decided.lints
        )

    def _exceptions(self, finding: QuestionResult) -> tuple[Evidence, ...]:
        return tuple(
            Evidence(
                f"Let through all the same: {describe_request(each, self.decided.policy)}.",
                {"action": each.action, "resource": each.resource},
            )
            for each in finding.exceptions
        )

    def _remedy(self) -> Remediation:
        """Suggest a policy without the holes, as one line that a shell takes."""
        decided = self.decided
        suggested = suggest_policy(self.endpoint.policy or "", decided.decision, self.expected)
        command = (
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {self.endpoint.id} --policy-document "
        )
        if suggested is None:
            return Remediation(
                "Write a policy that lets just your own principals reach just your own resources, "
                "with the condition keys aws:PrincipalOrgID or aws:PrincipalAccount and "
                "aws:ResourceOrgID or aws:ResourceAccount.",
                f"{command}file://policy.json",
            )
        compact = json.dumps(json.loads(suggested), separators=(",", ":")).replace("'", "'\\''")
        return Remediation(
            "Deny what the baseline does not trust; the policy suggested here keeps everything "
            "else, and was itself decided to be closed.",
            f"{command}'{compact}'",
        )
