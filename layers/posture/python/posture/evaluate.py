"""The use case of a batch of changes: place them, look, judge, record."""
