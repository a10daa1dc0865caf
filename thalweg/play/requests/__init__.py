"""What a page may ask for: states, bounds, and how it is refused."""
