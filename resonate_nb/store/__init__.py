"""Where promises live: the contract of a store, and the stores that keep it."""
