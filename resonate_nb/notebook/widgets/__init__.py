"""What a browser draws under a cell: views, which lose nothing when they are closed."""
