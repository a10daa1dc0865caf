"""Benchmarks. The process of an earlier thalweg finds it in the folder that BENCHMARKS_THALWEG names."""

import os
import sys

if os.environ.get("BENCHMARKS_THALWEG"):
    sys.path.insert(0, os.environ["BENCHMARKS_THALWEG"])
