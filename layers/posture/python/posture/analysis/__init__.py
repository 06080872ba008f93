"""The heart: routing, names, reachability and policy, decided on a snapshot. Pure."""
