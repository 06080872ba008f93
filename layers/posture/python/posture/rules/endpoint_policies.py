"""Rules about what endpoint policies let through, each decided, with an example as evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from posture.analysis.endpoint_contexts import TYPES_WITH_POLICY
from posture.model.network import Facet
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.policy import PolicyAnswer, QuestionResult
from posture.policy.required_requests import find_blocked_requests
from posture.rules.controls import ACCESS, AVAILABILITY, BOUNDARY
from posture.rules.endpoint_policy_context import EndpointPolicyContext
from posture.rules.evidence import join_names
from posture.rules.rule import Family, Rule, RuleResult, VpcContext

READS = frozenset({Facet.ENDPOINTS, Facet.SERVICES})

POLICIES = "https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html"
PERIMETERS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_data-perimeters.html"
ECR = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html"
LOGIC = (
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/"
    "reference_policies_evaluation-logic_policy-eval-basics.html"
)

Judge = Callable[[EndpointPolicyContext], RuleResult]


def _each(judge: Judge, vpc: VpcContext) -> Iterator[RuleResult]:
    """Judge every endpoint whose policy can be read; tell of the others why not."""
    for endpoint in vpc.endpoints_of(*TYPES_WITH_POLICY):
        subject = EndpointPolicyContext(vpc, endpoint)
        yield subject.unread() or judge(subject)


def _full_access(subject: EndpointPolicyContext) -> RuleResult:
    finding = subject.decided.decision.full_access
    if finding.answer is PolicyAnswer.YES and subject.supported is None:
        why = "whether the service supports another policy is not known"
        return subject.unknown(f"{subject.name} lets everybody do everything; {why}", why)
    return subject.answered(
        finding,
        what="lets everybody do everything",
        safe="has a policy that is not full access",
    )


def _unless_open(
    subject: EndpointPolicyContext, finding: QuestionResult, *, what: str, safe: str
) -> RuleResult:
    """Judge one question; of full access its own rule speaks."""
    if subject.decided.decision.full_access.answer is PolicyAnswer.YES:
        summary = (
            f"{subject.name} has full access, of which endpoint-policy-allows-full-access speaks"
        )
        return subject.judged(Status.NOT_APPLICABLE, summary)
    return subject.answered(finding, what=what, safe=safe)


def _principal(subject: EndpointPolicyContext) -> RuleResult:
    return _unless_open(
        subject,
        subject.decided.decision.untrusted_principal,
        what="lets in principals that the baseline does not trust",
        safe="lets in trusted principals only",
    )


def _resource(subject: EndpointPolicyContext) -> RuleResult:
    return _unless_open(
        subject,
        subject.decided.decision.untrusted_resource,
        what="lets data out to resources that the baseline does not trust",
        safe="reaches trusted resources only",
    )


def _actions(subject: EndpointPolicyContext) -> RuleResult:
    finding = subject.decided.decision.disallowed_action
    if finding is None:
        summary = f"{subject.name}: the baseline has no list of allowed actions"
        return subject.judged(Status.NOT_APPLICABLE, summary)
    return subject.answered(
        finding,
        what="allows actions outside the baseline's allowed_actions",
        safe="allows no action outside the baseline's allowed_actions",
    )


def _needs(subject: EndpointPolicyContext) -> RuleResult:
    decided, endpoint = subject.decided, subject.endpoint
    required = subject.vpc.baseline.required_services
    lacking = find_blocked_requests(
        decided.policy, decided.decision, subject.expected.endpoint, required
    )
    if lacking is None:
        summary = f"{subject.name}: no required service needs anything of it"
        return subject.judged(Status.NOT_APPLICABLE, summary)
    if not lacking:
        return subject.judged(Status.PASS, f"{subject.name} lets through what is required")
    return RuleResult(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"the policy of {subject.name} refuses {join_names(each.what for each in lacking)}",
        evidence=tuple(
            Evidence(
                f"{each.what} is refused: {each.why}; {each.needed_by} needs it.",
                {"endpoint": endpoint.id, "request": each.what, "needed_by": each.needed_by},
            )
            for each in lacking
        ),
        remediation=Remediation(
            "Allow what the required services need, or take them out of required_services."
        ),
    )


def _readable(vpc: VpcContext) -> Iterator[RuleResult]:
    for endpoint in vpc.endpoints_of(*TYPES_WITH_POLICY):
        subject = EndpointPolicyContext(vpc, endpoint)
        unread = subject.unread()
        if unread is None:
            yield subject.judged(Status.PASS, f"the policy of {subject.name} can be read")
        elif unread.status is Status.UNKNOWN and endpoint.policy is not None:
            summary = f"the policy of {subject.name} cannot be read"
            yield subject.judged(Status.FAIL, summary, *unread.evidence)


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="endpoint-policy-allows-full-access",
        title="endpoint policy allows everything",
        requirement=(
            "No endpoint has the full-access policy it gets by default, nor one as good as it"
        ),
        family=Family.TRUST,
        severity=Severity.MEDIUM,
        rationale=(
            "With the default policy the endpoint carries any request of anybody's credentials to"
            " anybody's resources: a stolen file leaves through it to a stranger's bucket. An "
            "endpoint whose service supports no policy is not faulted."
        ),
        remediation="Write an endpoint policy.",
        evaluate=partial(_each, _full_access),
        reads=READS,
        controls=ACCESS,
        references=(POLICIES,),
    ),
    Rule(
        id="endpoint-policy-allows-untrusted-principal",
        title="endpoint lets in untrusted principals",
        requirement=(
            "Endpoint policies let in only principals of trusted accounts and organisations"
        ),
        family=Family.TRUST,
        severity=Severity.MEDIUM,
        rationale=(
            "Who brings credentials of his own into the network can use the endpoint with them, "
            "and carry data to wherever they reach. Decided over every request there can be, with"
            " Deny statements, conditions and absent keys taken as AWS takes them; requests of "
            "AWS's own services are told apart."
        ),
        remediation="Deny principals of other accounts and organisations.",
        evaluate=partial(_each, _principal),
        reads=READS,
        controls=ACCESS,
        references=(
            PERIMETERS,
            LOGIC,
        ),
    ),
    Rule(
        id="endpoint-policy-allows-untrusted-resource",
        title="endpoint leads to untrusted resources",
        requirement="Endpoint policies reach only resources of trusted accounts and organisations",
        family=Family.TRUST,
        severity=Severity.MEDIUM,
        rationale=(
            "A trusted principal may be made to write to a stranger's bucket, queue or table: the"
            " way by which data leaves. Bucket names are global, so a wildcard in one is no "
            "limit: anybody can make a bucket that fits. A name in full is taken for one's own."
        ),
        remediation="Deny resources of other accounts and organisations.",
        evaluate=partial(_each, _resource),
        reads=READS,
        controls=BOUNDARY,
        references=(
            PERIMETERS,
            LOGIC,
        ),
    ),
    Rule(
        id="endpoint-policy-allows-unlisted-action",
        title="endpoint allows more actions than the baseline",
        requirement="Endpoint policies allow just the actions of the baseline's allowed_actions",
        family=Family.TRUST,
        severity=Severity.MEDIUM,
        rationale=(
            "What nobody needs only helps who has got in. Judged where the baseline lists actions."
        ),
        remediation="Narrow the actions of the policy.",
        evaluate=partial(_each, _actions),
        reads=READS,
        controls=ACCESS,
        references=(POLICIES,),
    ),
    Rule(
        id="endpoint-policy-blocks-required-service",
        title="endpoint policy refuses what is required",
        requirement="Endpoint policies let through what the baseline's required services need",
        family=Family.TRUST,
        severity=Severity.INFORMATIONAL,
        rationale=(
            "A policy that lets nothing through, or not the buckets where Amazon ECR keeps its "
            "layers, stops workloads. This is advice: the policy is safe as it is."
        ),
        remediation="Allow what the required services need.",
        evaluate=partial(_each, _needs),
        reads=READS,
        controls=AVAILABILITY,
        references=(
            ECR,
            POLICIES,
        ),
    ),
    Rule(
        id="endpoint-policy-malformed",
        title="endpoint policy cannot be read",
        requirement="Every endpoint policy is a document of AWS's policy language",
        family=Family.TRUST,
        severity=Severity.MEDIUM,
        rationale=(
            "What cannot be read cannot be judged, by this monitor or by the next person. The "
            "place of the mistake is told."
        ),
        remediation="Write the policy anew.",
        evaluate=_readable,
        reads=READS,
        controls=ACCESS,
        references=(POLICIES,),
    ),
)
