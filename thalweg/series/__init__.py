"""Series in time: their step, their season, windows of them, and networks that continue them."""
