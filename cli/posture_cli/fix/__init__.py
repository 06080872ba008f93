"""Remediations that a person applies: proven on the network as it is now, call by call."""
