"""Verdicts against stored findings: opened, changed, resolved. Pure."""
