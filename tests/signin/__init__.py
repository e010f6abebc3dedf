"""Signing in, with a real OpenID provider that the tests start."""
