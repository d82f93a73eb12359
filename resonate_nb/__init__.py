"""Durable notebooks: kill the kernel, run again, go on."""
