"""How thalweg is packed: kernels made in advance, and wheels that hold them."""
