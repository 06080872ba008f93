"""Answers for auditors, from the tables: integrity, past states and changes."""
