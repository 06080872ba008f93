"""Rules about the access that endpoint policies allow, with an example request as evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from posture.model.network import Endpoint, Facet
from posture.model.verdict import Severity, Status
from posture.policy import PolicyAnswer, QuestionResult
from posture.rules.contexts import VpcContext
from posture.rules.controls import ACCESS, DEFAULT_DENY, OUTBOUND
from posture.rules.endpoint_policy_context import EndpointPolicyContext
from posture.rules.endpoint_policy_needs import evaluate_needs, find_gateway_instead
from posture.rules.result import RuleResult
from posture.rules.rule import Family, Rule

POLICIES = "https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html"
PERIMETERS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_data-perimeters.html"
ECR = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html"
LOGIC = (
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/"
    "reference_policies_evaluation-logic_policy-eval-basics.html"
)

EvaluatePolicy = Callable[[EndpointPolicyContext], RuleResult]


def _evaluate_each(evaluate: EvaluatePolicy, vpc: VpcContext) -> Iterator[RuleResult]:
    """Evaluate each endpoint's policy, or say why the policy has no verdict.

    An answer depends on the decided policy, and on the gateway endpoint that names lead to instead.
    In a trial, one that the change does not concern has its former result.
    """
    for endpoint in vpc.policy_endpoints:
        other = find_gateway_instead(vpc, endpoint)
        key = evaluate, endpoint.id, other.id if other else ""
        known = vpc.list_former_results(endpoint).get(key)
        vpc.policy_results[key] = known or _evaluate_one(evaluate, vpc, endpoint)
        yield vpc.policy_results[key]


def _evaluate_one(evaluate: EvaluatePolicy, vpc: VpcContext, endpoint: Endpoint) -> RuleResult:
    subject = _get_subject(vpc, endpoint)
    return subject.undecided or evaluate(subject)


def _get_subject(vpc: VpcContext, endpoint: Endpoint) -> EndpointPolicyContext:
    """Return an endpoint's policy, which all rules about it share."""
    return vpc.remember(("policy", endpoint.id), partial(EndpointPolicyContext, vpc, endpoint))


def _full_access(subject: EndpointPolicyContext) -> RuleResult:
    finding = subject.decided.decision.full_access
    if finding.answer is PolicyAnswer.YES and subject.supported is None:
        why = "whether the service supports custom endpoint policies is not known"
        return subject.build_unknown(f"the policy of {subject.name} allows full access; {why}", why)
    return subject.build_answer(
        finding, what="allows full access", safe="does not allow full access"
    )


def _unless_open(
    subject: EndpointPolicyContext, finding: QuestionResult, *, what: str, safe: str
) -> RuleResult:
    """Build the result of one question, unless the rule about full access reports the policy."""
    if subject.decided.decision.full_access.answer is PolicyAnswer.YES:
        summary = f"{subject.name}: reported by endpoint-policy-allows-full-access"
        return subject.build_result(Status.NOT_APPLICABLE, summary)
    return subject.build_answer(finding, what=what, safe=safe)


def _principal(subject: EndpointPolicyContext) -> RuleResult:
    return _unless_open(
        subject,
        subject.decided.decision.untrusted_principal,
        what="allows principals that the baseline does not trust",
        safe="allows trusted principals only",
    )


def _resource(subject: EndpointPolicyContext) -> RuleResult:
    return _unless_open(
        subject,
        subject.decided.decision.untrusted_resource,
        what="allows access to resources that the baseline does not trust",
        safe="allows access to trusted resources only",
    )


def _actions(subject: EndpointPolicyContext) -> RuleResult:
    finding = subject.decided.decision.disallowed_action
    if finding is None:
        summary = f"{subject.name}: the baseline does not list allowed actions"
        return subject.build_result(Status.NOT_APPLICABLE, summary)
    return subject.build_answer(
        finding,
        what="allows actions that the baseline does not list (allowed_actions)",
        safe="allows only the actions that the baseline lists (allowed_actions)",
    )


def _well_formed(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.policy_endpoints:
        subject = _get_subject(vpc, endpoint)
        unread = subject.undecided
        if unread is None:
            yield subject.build_result(Status.PASS, f"the policy of {subject.name} is well formed")
        elif unread.status is Status.UNKNOWN and endpoint.policy is not None:
            summary = f"the policy of {subject.name} cannot be parsed"
            result = subject.build_result(Status.FAIL, summary, *unread.evidence)
            advice = "Correct the policy document."
            yield replace(result, propose=partial(subject.list_replacements, advice))


_rule = partial(
    Rule,
    family=Family.TRUST,
    reads=frozenset({Facet.ENDPOINTS, Facet.SERVICES}),
)
RULES: tuple[Rule[VpcContext], ...] = (
    _rule(
        id="endpoint-policy-allows-full-access",
        title="Endpoint policy allows full access",
        requirement="No endpoint policy allows full access, as the default policy does",
        severity=Severity.MEDIUM,
        rationale=(
            "The default policy allows any principal to access any resource: stolen data can be "
            "copied to an external bucket through the endpoint. Endpoints whose service does not "
            "support endpoint policies are not reported."
        ),
        remediation="Replace the default policy with one that names your principals and resources.",
        evaluate=partial(_evaluate_each, _full_access),
        controls=DEFAULT_DENY,
        references=(POLICIES,),
    ),
    _rule(
        id="endpoint-policy-allows-untrusted-principal",
        title="Endpoint policy allows untrusted principals",
        requirement="Endpoint policies allow only principals of trusted accounts and organizations",
        severity=Severity.MEDIUM,
        rationale=(
            "An attacker inside the network can use the endpoint with credentials of an external "
            "account and copy data to that account. The check covers every possible request, with "
            "Deny statements, conditions and missing condition keys evaluated as IAM does. "
            "Requests from AWS service principals are reported separately."
        ),
        remediation="Deny principals of other accounts and organizations.",
        evaluate=partial(_evaluate_each, _principal),
        controls=ACCESS,
        references=(PERIMETERS, LOGIC),
    ),
    _rule(
        id="endpoint-policy-allows-untrusted-resource",
        title="Endpoint policy allows untrusted resources",
        requirement=(
            "Endpoint policies allow access only to resources of trusted accounts and organizations"
        ),
        severity=Severity.MEDIUM,
        rationale=(
            "Data can be exfiltrated to a bucket, queue or table of an external account. Bucket "
            "names are global: a bucket name with a wildcard is no restriction, as any account can "
            "create a bucket that matches. A bucket that is named in full is treated as trusted."
        ),
        remediation="Deny resources of other accounts and organizations.",
        evaluate=partial(_evaluate_each, _resource),
        controls=OUTBOUND,
        references=(PERIMETERS, LOGIC),
    ),
    _rule(
        id="endpoint-policy-allows-unlisted-action",
        title="Endpoint policy allows unlisted actions",
        requirement="Endpoint policies allow only the actions that the baseline lists",
        severity=Severity.MEDIUM,
        rationale=(
            "Actions that workloads do not need increase the damage that an attacker can do. The "
            "rule applies where the baseline sets allowed_actions."
        ),
        remediation="Restrict the actions in the policy.",
        evaluate=partial(_evaluate_each, _actions),
        controls=ACCESS,
        references=(POLICIES,),
    ),
    _rule(
        id="endpoint-policy-blocks-required-service",
        title="Endpoint policy blocks a required service",
        requirement="Endpoint policies allow the requests of required services",
        severity=Severity.INFORMATIONAL,
        rationale=(
            "Workloads fail when the policy blocks all requests, or those for resources that AWS "
            "owns: image layers of Amazon ECR, documents of Systems Manager, repositories of "
            "Amazon Linux, responses to CloudFormation. Many of these are presigned by AWS or not "
            "signed at all, so that a condition on the principal blocks them. The evidence names "
            "each feature and request that stops. The finding is informational: the policy allows "
            "no unwanted access."
        ),
        remediation="Allow the requests of the required services.",
        evaluate=partial(_evaluate_each, evaluate_needs),
        references=(ECR, POLICIES),
    ),
    _rule(
        id="endpoint-policy-malformed",
        title="Endpoint policy cannot be parsed",
        requirement="Every endpoint policy is a valid IAM policy document",
        severity=Severity.MEDIUM,
        rationale=(
            "The access that a malformed policy allows cannot be evaluated, by this monitor or by "
            "a reviewer. The evidence names the position of the error."
        ),
        remediation="Correct the policy document.",
        evaluate=_well_formed,
        references=(POLICIES,),
    ),
)
