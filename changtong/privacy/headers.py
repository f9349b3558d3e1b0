"""What the header of a column says about its values."""

from __future__ import annotations

from functools import lru_cache

from changtong.privacy.words import words

ORDER = ("phone", "id_number", "bank_card", "passport", "plate", "email", "address", "name")


@lru_cache(4096)
def kind_of_header(header: str) -> str | None:
    """Return the kind of personal data a header announces, or None.

    Examples
    --------
    >>> kind_of_header("收件人电话"), kind_of_header("Consignee"), kind_of_header("site_name")
    ('phone', 'name', None)
    """
    told = words()["headers"]
    low = header.strip().lower().replace(" ", "_")
    for kind in ORDER:
        if kind == "name" and any(word in low for word in told["not"]):
            return None
        if any(word in low for word in told[kind]):
            return kind
    return "name" if any(word in low for word in told["weak_name"]) else None


def is_weak_name(header: str) -> bool:
    """Return whether a header announces names, but not whether of persons, places or things.

    Examples
    --------
    >>> is_weak_name("name"), is_weak_name("收件人")
    (True, False)
    """
    low = header.strip().lower().replace(" ", "_")
    return kind_of_header(header) == "name" and not any(word in low for word in words()["headers"]["name"])


def is_number_header(header: str) -> bool:
    """Return whether a header announces numbers of parcels or orders, or times: no personal numbers."""
    low = header.strip().lower()
    return any(word in low for word in words()["labels"]["number"])
