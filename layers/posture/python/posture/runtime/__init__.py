"""The environment of a function: settings, AWS clients, remaining time and the code digest."""
