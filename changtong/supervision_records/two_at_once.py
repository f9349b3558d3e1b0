"""Two who add the same at once: the one who comes second finds it there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from changtong.errors import InputError
from changtong.storage.work import Work

Made = TypeVar("Made")


def done_or_found(work: Work, do: Callable[[], Made]) -> Made:
    """Do a part of the work, once more where somebody else has just added the same.

    Parameters
    ----------
    work : Work
    do : callable
        Looks at what is there before it adds anything.

    Raises
    ------
    InputError
        What it raised, the second time or for another reason.
    """
    try:
        with work.part():
            return do()
    except InputError as error:
        if {problem.code for problem in error.problems} != {"duplicate-record"}:
            raise
    with work.part():
        return do()
