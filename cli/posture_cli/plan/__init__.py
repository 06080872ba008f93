"""Read plans of other tools: the network as it will be, before it is."""
