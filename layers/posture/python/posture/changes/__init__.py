"""Where to look: CloudTrail records, in their real shapes, reduced to changes. Pure."""
