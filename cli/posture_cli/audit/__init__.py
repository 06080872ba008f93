"""What auditors ask of the tables: was it altered, what held then, what became of it."""
