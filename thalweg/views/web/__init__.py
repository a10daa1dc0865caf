"""Pages: ES modules that draw, and what puts them into one file."""
