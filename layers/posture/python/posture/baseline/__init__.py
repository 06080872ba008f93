"""The baseline document: what an organization requires, parsed and resolved for a scope."""
