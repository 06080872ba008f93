"""Reads VPCs, endpoint services and the region's catalogue from EC2 as snapshots of the model."""
