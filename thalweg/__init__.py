"""thalweg: neural networks trained by gradient descent on a CPU, with every number visible."""
