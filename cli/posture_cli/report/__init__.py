"""The report: one page that a board member and an engineer can both use. Pure."""
