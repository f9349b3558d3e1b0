"""Errors with stable codes; each is ours and a builtin as well.

The tree::

    ChangtongError(Exception)
    ├── InputError(ValueError)        the input is wrong: carries every problem found
    ├── UsageError(ValueError)        the call is wrong: an option, a combination
    ├── NotFoundError(LookupError)    a name that does not exist
    ├── DeniedError(PermissionError)  the person may not do this here, or is not signed in
    ├── ConflictError(RuntimeError)   the record is not as it was when it was read
    └── InternalError(RuntimeError)   ours: a result failed its own check

Codes are stable and equal the headings in ``docs/errors.md``. Exit codes of the
command line: 1 for a question without a good answer, 2 for InputError, UsageError,
NotFoundError, DeniedError and ConflictError, 3 for InternalError.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one place.

    Attributes
    ----------
    code : str
        Stable, for example ``unknown-site``; a heading in ``docs/errors.md``.
    message : str
        What is wrong, in words, with the value seen.
    file, row, column : str or int, optional
        Where. ``row`` counts data rows from 1; a CSV's header is row 0.
    expected : str
        What would have been right.
    hint : str
        What to do, or the nearest name ("did you mean …").
    severity : str
        ``error`` stops the work, ``warning`` does not.
    """

    code: str
    message: str
    file: str | None = None
    row: int | None = None
    column: str | None = None
    expected: str = ""
    hint: str = ""
    severity: str = "error"

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.row, self.column) if part is not None)
        text = f"{where}: {self.message}" if where else self.message
        if self.expected:
            text += f" Expected: {self.expected}."
        if self.hint:
            text += f" {self.hint}"
        return f"[{self.code}] {text}"

    def to_dict(self) -> dict[str, object]:
        """Return the problem as the one JSON shape used everywhere."""
        return asdict(self)


class ChangtongError(Exception):
    """Root of every error this package raises on purpose."""

    code = "error"


class InputError(ChangtongError, ValueError):
    """The input has problems; all of them are listed at once.

    Parameters
    ----------
    problems : iterable of Problem
        At least one.
    """

    code = "bad-input"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:20]]
        if len(self.problems) > len(shown):
            shown.append(f"… and {len(self.problems) - len(shown)} more")
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the input\n" + "\n".join(shown))


class UsageError(ChangtongError, ValueError):
    """A call or an option that cannot be meant."""

    def __init__(self, message: str, code: str = "bad-usage") -> None:
        self.code = code
        super().__init__(message)


class NotFoundError(ChangtongError, LookupError):
    """A name that does not exist, with the nearest ones that do."""

    code = "not-found"


class DeniedError(ChangtongError, PermissionError):
    """A person may not do this here, or is not signed in."""

    def __init__(self, message: str, code: str = "not-allowed") -> None:
        self.code = code
        super().__init__(message)


class ConflictError(ChangtongError, RuntimeError):
    """A record was changed by someone else since it was read: nothing was written.

    Attributes
    ----------
    wanted : object
        What was to be written.
    current : object
        The record as it is now.
    """

    code = "conflict"

    def __init__(self, message: str, wanted: object = None, current: object = None) -> None:
        self.wanted, self.current = wanted, current
        super().__init__(message)


class InternalError(ChangtongError, RuntimeError):
    """A result failed its own independent check: never shown as an answer."""

    code = "internal"
