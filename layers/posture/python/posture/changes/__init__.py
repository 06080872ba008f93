"""Parses CloudTrail records of EC2 calls into changes. Makes no calls."""
