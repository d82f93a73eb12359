"""Pages for people: HTML that needs neither a kernel nor JavaScript."""
