"""Frozen, typed facts: what is observed, what is required, what is judged. No behaviour beyond."""
