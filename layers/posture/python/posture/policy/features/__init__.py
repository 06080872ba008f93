"""Features of AWS: what they need from endpoint policies, and the resources that AWS owns.

Facts:
    table       from `table.json`, with the page of each
    resources   the ARNs in a Region
    aws_owned   which resources are AWS's, by their names
"""
