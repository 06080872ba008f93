"""The edges: everything that speaks to AWS, and nothing that judges."""
