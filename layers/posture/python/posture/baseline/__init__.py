"""The baseline document: what the organisation requires, by default and by override. Pure."""
