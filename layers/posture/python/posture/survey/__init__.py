"""The use case of the survey: what changed in the shared network is read again and stored."""
