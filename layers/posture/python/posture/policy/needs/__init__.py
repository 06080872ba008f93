"""What AWS features need from endpoint policies.

    needs       the requests that features make through one endpoint
    check       which of them a policy blocks
    statements  the statements that let them through

The requests are asked with the true signer and the keys that an endpoint policy then sees: image
layers of Amazon ECR are read with a URL that an account of AWS presigned, repositories of Amazon
Linux without a signature. See docs/decisions/0066-ask-for-needs-with-the-true-signer.md.
"""

from posture.policy.features.table import (
    Feature,
    Signer,
    Use,
    expand_features,
    find_features,
    read_features,
)
from posture.policy.needs.check import NeedResult, NeedStatus, check_needs
from posture.policy.needs.needs import Need, list_needs
from posture.policy.needs.statements import NeedStatement, build_statements

__all__ = [
    "Feature",
    "Need",
    "NeedResult",
    "NeedStatement",
    "NeedStatus",
    "Signer",
    "Use",
    "build_statements",
    "check_needs",
    "expand_features",
    "find_features",
    "list_needs",
    "read_features",
]
