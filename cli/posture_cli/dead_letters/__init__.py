"""The dead-letter queues of a deployed stack: read, explain and reprocess their messages."""
