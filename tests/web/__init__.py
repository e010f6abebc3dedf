"""The runtime for browsers and Node, and what we put around it."""
