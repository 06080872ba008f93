"""Pure analysis of a VPC snapshot: routing, name resolution, reachability and coverage."""
