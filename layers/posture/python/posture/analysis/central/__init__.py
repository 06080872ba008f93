"""How a VPC reaches endpoints in other VPCs: names, routes and gates at both ends. Pure."""
