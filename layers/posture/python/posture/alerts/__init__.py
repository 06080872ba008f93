"""The content of alerts: subject, e-mail text, JSON and AWS Security Finding Format. Pure."""
