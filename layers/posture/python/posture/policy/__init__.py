"""Decide what an endpoint policy allows: is there a request that it allows and should not?

For each question the answer is yes with an example request, no because none exists, or unknown
with the reason. Pure functions that use the standard library only.

The policy language:
    document, parse, json_reader    the parsed policy, with line and column of every error
    operators, scalars, keys        condition operators, their values, condition keys
    template                        texts with wildcards and policy variables
    service_reference               the actions of AWS services, and the ARNs that each applies to
    service_actions                 what that does not hold: endpoints, owners, typical examples

Evaluating one concrete request, as AWS does:
    request, evaluate               the request; explicit deny, then allow, else implicit deny
    conditions, wildcards           the condition operators and the matching of texts

Searching for a request (independent of the evaluator, which confirms each example):
    policy_check                    what to check: the endpoint, the trusted accounts, the time
    decide, decided_policy          the questions and their answers
    mentions, case_enumeration, request_case
                                    the finite combinations of caller, owner, service and endpoint
    clauses, principals, condition_tests, clause_results
                                    the elements of a statement in one such case
    search, value_tests, shapes, ownership, witness
                                    values for everything that is left open
    automata, tokens                pattern sets as automata; the budget of work
    cost                            the element that costs most, where the budget is exceeded

What workloads need of a policy:
    features, required              facts about AWS; what a baseline requires
    permitted                       what anyone may do with resources that AWS owns
    needs                           the requests that must pass, asked with their true signers

What follows from a decision:
    descriptions, lints, suggest, generate, compare, endpoint_dependence

https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
"""

from posture.policy.decide import PolicyAnswer, PolicyDecision, QuestionResult, decide_policy
from posture.policy.decided_policy import DecidedPolicy, decide_policies, decide_policy_text
from posture.policy.document import Policy, Statement
from posture.policy.evaluate import evaluate
from posture.policy.json_reader import MalformedPolicyError
from posture.policy.parse import parse_policy
from posture.policy.policy_check import EndpointContext, PolicyCheck, Trust
from posture.policy.request import Request

__all__ = [
    "DecidedPolicy",
    "EndpointContext",
    "MalformedPolicyError",
    "Policy",
    "PolicyAnswer",
    "PolicyCheck",
    "PolicyDecision",
    "QuestionResult",
    "Request",
    "Statement",
    "Trust",
    "decide_policies",
    "decide_policy",
    "decide_policy_text",
    "evaluate",
    "parse_policy",
]
