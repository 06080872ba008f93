"""Reads the shared network of an organization in AWS: names, transit gateways, peerings."""
