"""The baseline document: what an organisation requires, parsed and resolved for a scope."""
