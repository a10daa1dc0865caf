"""Forests of decision trees: scikit-learn's as tables, and the layer that holds them."""
