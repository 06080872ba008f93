"""Edits that a person asks about, and the networks after them."""
