"""Predictions in other processes and on other machines: from Arrow batches, and by shards of a table."""
