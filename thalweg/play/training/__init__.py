"""A network of the page, its training, and what is seen of them."""
