"""The demo: a small organisation, real calls that break it, and what the monitor says of them."""
