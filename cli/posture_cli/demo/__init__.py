"""The demo: a sample organization, API calls that break it, and how the monitor responds."""
