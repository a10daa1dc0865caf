"""Reports: what a page shows of a model and its training."""
