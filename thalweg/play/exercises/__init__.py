"""What networks of the page learn from."""
