"""Names what caused a transition: the changes between two snapshots, applied one by one. Pure."""
