"""Runs behind HTTP: the Open Inference Protocol, and a plain endpoint with named columns."""
