"""Promises as a resource: one service without a web framework, and the servers that mount it."""
