"""Sealed pseudonyms given back: with a right of the registers, for a reason, each look on their audit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from changtong.errors import UsageError
from changtong.privacy.key_file import FieldKeys
from changtong.privacy.pseudonyms import Look, reveal
from changtong.rights.decide import Target
from changtong.storage.people import topmost_of
from changtong.storage.store import Desk
from changtong.storage.work import check_reason

MOST_AT_ONCE = 1000


def reveal_pseudonyms(
    desk: Desk, keys: FieldKeys, field: str, sealed: Sequence[str], reason: str
) -> list[str]:
    """Return the values behind sealed pseudonyms.

    A sealed value does not tell whose it is: so the right must hold for the whole tree of the person's own
    topmost organisation. The audit has the field and the SHA-256 of each pseudonym: with the table they came
    from anybody can tell which were looked at, and without it nobody can open them from the audit.

    Parameters
    ----------
    desk : Desk
    keys : FieldKeys
    field : str
        Name they were sealed for: the column.
    sealed : sequence of str
        `MOST_AT_ONCE` at most.
    reason : str

    Raises
    ------
    DeniedError
        ``not-allowed``: it goes on record.
    UsageError
        ``reason-missing``, ``too-many-values``.
    InputError
        ``bad-pseudonym``. The look stays on record.
    """
    check_reason(reason, "the values are needed")
    if not 1 <= len(sealed) <= MOST_AT_ONCE:
        text = f"{len(sealed):,} values were asked for; a look is at 1 to {MOST_AT_ONCE:,}."
        raise UsageError(text, "too-many-values")

    def gate(look: Look) -> bool:
        with desk.work(writes=True) as work:
            top = topmost_of(work)
            target = Target("pseudonym", top["path"], top["admin_code"])
            work.allow("reveal", target)
            digests = [hashlib.sha256(one.encode()).hexdigest() for one in look.pseudonyms]
            work.note("reveal", target, "", {"field": look.field, "sha256": digests}, look.reason)
        return True

    return reveal(keys, field, list(sealed), who=desk.check(), reason=reason, gate=gate)
