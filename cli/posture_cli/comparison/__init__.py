"""What a change does: findings, paths and charges before and after it, in every output format."""
