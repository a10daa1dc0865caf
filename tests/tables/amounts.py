"""How many random examples a test tries: few in `make test`, all in `make soak`.

Both are profiles of Hypothesis, whose number of examples is here a share, in per cent, of what a test asks for:
`pytest --hypothesis-profile soak`.
"""

from hypothesis import settings

LEAST = 25
"""Examples that are tried in any case."""


def register() -> None:
    """Defines both profiles and chooses the small one, which the command line may change."""
    settings.register_profile("test", max_examples=20, deadline=None)
    settings.register_profile("soak", max_examples=100, deadline=None)
    settings.load_profile("test")


def soaking() -> bool:
    """Whether everything is tried."""
    return settings().max_examples == 100


def examples(most: int, least: int = LEAST) -> int:
    """How many of a test's examples are tried; `least` is lower where each needs kernels of its own."""
    return min(most, max(least, most * settings().max_examples // 100))
