"""The demo: a sample organisation, API calls that break it, and how the monitor responds."""
