"""One verb, or one group of verbs, a module; each only parses, calls and prints."""
