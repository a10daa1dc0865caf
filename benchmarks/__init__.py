"""Benchmarks. A process for an earlier thalweg imports it from the folder in BENCHMARKS_THALWEG."""

import os
import sys

if os.environ.get("BENCHMARKS_THALWEG"):
    sys.path.insert(0, os.environ["BENCHMARKS_THALWEG"])
