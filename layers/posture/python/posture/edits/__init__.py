"""Typed changes of a network, and what a snapshot is after them. Makes no calls."""
