"""Features of AWS: what they need from endpoint policies, and the resources that AWS owns.

table       the facts, from `table.json`
aws_owned   which resources are AWS's, by their names
"""
