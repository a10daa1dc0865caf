"""One step of gradient descent with all its numbers: printed, as JSON, as a figure."""
