"""One module for each command, or group of commands: it parses, calls and prints."""
