"""The loss around a solution: planes through the weights, and the path of descent."""
