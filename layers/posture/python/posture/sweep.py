"""The use case of a schedule: look at a whole region, repair what was lost."""
