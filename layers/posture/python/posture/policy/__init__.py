"""Endpoint policies decided: does a request exist that a policy allows and nobody wants?

`parse` reads a document, `decide` answers the questions about it, `evaluate` tells of one request
whether it is allowed. Pure, and the standard library only.

https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
"""

from posture.policy.decide import Answer, Case, Decision, Finding, decide
from posture.policy.document import Policy, Statement
from posture.policy.evaluate import evaluate
from posture.policy.jsontext import UnreadablePolicyError
from posture.policy.parse import parse
from posture.policy.request import Request
from posture.policy.trust import Site, Trust
from posture.policy.verdict import Decided, decide_text

__all__ = [
    "Answer",
    "Case",
    "Decided",
    "Decision",
    "Finding",
    "Policy",
    "Request",
    "Site",
    "Statement",
    "Trust",
    "UnreadablePolicyError",
    "decide",
    "decide_text",
    "evaluate",
    "parse",
]
