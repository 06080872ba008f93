"""The handler of this function."""
