"""Frozen dataclasses for what is observed, required and found. No behaviour and no calls."""
