"""What a map is made of: its items, their claims, its speed, its progress."""
