"""Restores the tables of a monitor, and lets a new stack take them over."""
