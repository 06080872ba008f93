"""Exports what the tables hold as JSON lines, with the statements that query them in SQL."""
