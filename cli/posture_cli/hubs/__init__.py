"""How the VPCs of an organization use the central endpoints of others."""
