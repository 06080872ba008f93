"""Resolving the document to the requirements of one scope."""

from __future__ import annotations

from dataclasses import replace

from posture.baseline.document import BaselineDocument
from posture.model.baseline import Baseline
from posture.model.network import Tags
from posture.model.scope import Scope


def resolve_baseline(document: BaselineDocument, scope: Scope, tags: Tags) -> Baseline:
    """Apply all overrides that match the scope, in order; its own account is always trusted.

    An override replaces each field that it sets as a whole, so the last one to set a field wins.
    """
    baseline = document.default
    for override in document.overrides:
        if override.match.matches(scope, tags):
            baseline = replace(baseline, **override.settings)
    if any(each.spokes.organizational_units for each in baseline.central_endpoints):
        paths = {**document.list_account_paths(), scope.account: baseline.organization}
        baseline = replace(baseline, account_paths=paths)
    return replace(baseline, trusted_accounts=baseline.trusted_accounts | {scope.account})
