"""The `posture` command: for auditors, engineers and the local demo. Never in a layer."""
