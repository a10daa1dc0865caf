"""Kernels for columns of numbers: codes and embeddings."""
