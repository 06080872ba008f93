"""Turns rows of the shared network's services into the model. Makes no calls."""
