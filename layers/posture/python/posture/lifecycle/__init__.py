"""The life of findings: verdicts compared with stored findings, causes and waivers. Pure."""
