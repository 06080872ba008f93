"""The use cases that evaluate scopes: batches of changes, and sweeps of regions and accounts."""
