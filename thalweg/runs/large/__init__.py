"""Runs on tables that may be larger than memory: rows are kept on a disk, and learned from window by window."""
