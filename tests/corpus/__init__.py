"""Shapes of durable calls, each with what every one of them has to hold to."""
