"""What is stored of a scope's findings, resolved ones included."""

from posture.model.finding import Finding
from posture.model.scope import Scope
from posture.store.findings import Findings
from posture.store.scope_store import Store


def read_stored_findings(store: Store, scope: Scope) -> dict[str, Finding]:
    """Read all findings of a scope by id."""
    findings = Findings(store._client, store._table)
    return {each.id: each for each in findings.find_by_scope(scope)}
