"""How much is tried at random: all of it where slow tests run too, as in CI, a third where somebody waits."""

import os

ALL = "CHANGTONG_LONG_TESTS" in os.environ
ENOUGH = 10


def examples(many: int) -> int:
    """Return how many examples Hypothesis tries, of the number that CI tries."""
    return many if ALL else min(many, max(ENOUGH, many // 3))
