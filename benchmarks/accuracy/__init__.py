"""How well thalweg and its peers predict tables, each by its defaults, and what that costs."""
