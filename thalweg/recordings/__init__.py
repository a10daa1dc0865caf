"""What is measured while a network trains, and how it is kept."""
