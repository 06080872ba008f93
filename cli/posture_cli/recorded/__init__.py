"""A region as rows of EC2's answers: saved, read from files or planned, and observed like EC2."""
