"""What a network computes for a few rows: every value, how an answer changes with them, and step by step."""
