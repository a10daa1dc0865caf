"""The processor that kernels are compiled for: the host, unless numba's environment variables say otherwise.

numba reads them too, but a process that finds its kernels compiled doesn't import numba.
"""

import os

import llvmlite.binding as binding

# Processors, or virtual machines that claim to be one, whose AVX LLVM or the system gets wrong; as in numba.
WITHOUT_AVX = {"corei7-avx", "core-avx-i", "sandybridge", "ivybridge", "nocona"}


def features(name: str) -> str:
    """LLVM's list of the processor's features, "+avx2,-avx512f,…", as numba composes it."""
    told = os.environ.get("NUMBA_CPU_FEATURES")
    if told is not None or name.lower() == "generic":
        return told or ""
    present = binding.get_host_cpu_features()
    if not int(os.environ.get("NUMBA_ENABLE_AVX", name not in WITHOUT_AVX)):
        for feature in present:
            if feature.startswith("avx"):
                present[feature] = False
    if present.get("avx512f"):  # LLVM would use half of a register, as older processors clocked down for whole ones;
        present["prefer-256-bit"] = False  # they do that for the products anyway
    return str(present.flatten())


def vector_width(features: str, asked: str | None = None) -> int:
    """Returns how many floats one vector register holds: 16 (AVX-512), 8 (AVX2 with FMA), otherwise 4 (NEON, SSE).

    features: LLVM's list of the processor's features, "+avx2,-avx512f,...".
    asked: the value of the environment variable THALWEG_VECTOR, which overrides it (to test narrower code).
    """
    if asked:
        if asked not in ("4", "8", "16"):
            raise ValueError(f"THALWEG_VECTOR is the number of floats in a vector: 4, 8 or 16, not {asked!r}")
        return int(asked)
    present = set(features.split(","))
    if "+avx512f" in present:
        return 16
    if {"+avx2", "+fma"} <= present:
        return 8
    return 4


NAME = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
FEATURES = features(NAME)
VW = vector_width(FEATURES, os.environ.get("THALWEG_VECTOR"))
