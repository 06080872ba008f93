"""Findings and verdicts in the forms that other tools take. Pure."""
