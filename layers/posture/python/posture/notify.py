"""The use case of the findings stream: tell people what opened and what was resolved."""
