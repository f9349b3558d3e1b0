"""What is derived from the log's key for a vault: encryption, seals, and a check.

One secret gives several keys that say nothing of each other (HKDF, RFC 5869). Ids are
encrypted with AES-256 in Galois/counter mode, which also shows any change.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from changtong.errors import InputError, Problem, UsageError
from changtong.events.keys import PLAIN_KEY

NONCE = 12
"""Bytes that differ for every block encrypted: drawn at random."""


class Cipher:
    """Keys of one vault.

    Parameters
    ----------
    key : bytes
        The log's key.
    salt : bytes
        The vault's own: two vaults of one log share no key.

    Examples
    --------
    >>> cipher = Cipher(bytes(range(32)), b"salt")
    >>> nonce, sealed = cipher.encrypt(b"ids", b"where they stand")
    >>> cipher.decrypt(nonce, sealed, b"where they stand")
    b'ids'
    """

    def __init__(self, key: bytes, salt: bytes) -> None:
        if key[:16] == PLAIN_KEY:
            raise UsageError(
                "This log has no secret key: what is encrypted under a key that all know hides nothing.",
                "vault-needs-key",
            )
        self._aes = AESGCM(_derive(key, salt, b"ids"))
        self._seal = _derive(key, salt, b"rights and record")
        self.check = _derive(key, salt, b"check")[:16]
        """Tells whether a key is the vault's."""

    def encrypt(self, plain: bytes, about: bytes) -> tuple[bytes, bytes]:
        """Return a nonce and the encrypted bytes, bound to what they are ``about``."""
        nonce = os.urandom(NONCE)
        return nonce, self._aes.encrypt(nonce, plain, about)

    def decrypt(self, nonce: bytes, sealed: bytes, about: bytes) -> bytes:
        """Return the bytes; they are as they were encrypted, or this raises.

        Raises
        ------
        InputError
            ``damaged-vault``.
        """
        try:
            return self._aes.decrypt(nonce, sealed, about)
        except (InvalidTag, ValueError) as error:
            raise damaged("A block of ids is not as it was written.") from error

    def seal(self, *parts: bytes) -> bytes:
        """Return what only this key can make of these bytes (HMAC-SHA256)."""
        made = hmac.new(self._seal, digestmod=hashlib.sha256)
        for part in parts:
            made.update(len(part).to_bytes(8, "big"))
            made.update(part)
        return made.digest()


def _derive(key: bytes, salt: bytes, use: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, b"changtong vault 1, " + use).derive(key)


def damaged(what: str) -> InputError:
    """Return the error of a vault that is not as it was written; it names no id."""
    problem = Problem(
        "damaged-vault", what, hint="Take the vault from a copy, or make it anew from the files."
    )
    return InputError([problem])
