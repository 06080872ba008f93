"""Transitions in the words of a mail and the JSON of a machine. Pure."""
