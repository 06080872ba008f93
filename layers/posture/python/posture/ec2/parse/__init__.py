"""Turns rows of EC2's Describe responses into the model. Makes no calls."""
