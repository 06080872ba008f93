"""What a deployed stack gave up: read, explain, and do again once the cause is gone."""
