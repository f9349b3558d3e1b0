"""Which columns hold what (by the user's word, the header, the values), and their values masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from changtong.errors import NotFoundError, UsageError
from changtong.privacy.find_column import find_in_column, joined, looks_like_names
from changtong.privacy.headers import is_number_header, kind_of_header
from changtong.privacy.mask_rules import KINDS, MaskRule, mask_rules
from changtong.privacy.masks import MASKS, mask_column
from changtong.privacy.spans import LOW, Spans

KEEP, TEXT = "keep", "text"
"""Left as it is on the user's word; free text in which every find is masked."""

SHARE = 0.5
"""A column is of a kind when so many of its first values are, as a whole."""


@dataclass(frozen=True)
class ColumnMask:
    """How a column was masked.

    Attributes
    ----------
    column, kind : str
    why : str
        given, header, values, or text: nothing says that the column is personal, finds in it are masked.
    masked, hidden, found, left : int
        Values masked by the rule; of them hidden as a whole, because they have not the form of their kind;
        values of free text with a find masked in it; finds of low confidence left as they are.
    """

    column: str
    kind: str
    why: str
    masked: int
    hidden: int
    found: int
    left: int


class ColumnMasker:
    """Masks columns batch by batch; what a column is, is decided when it is first seen.

    Parameters
    ----------
    given : mapping
        Column -> kind, ``text`` or ``keep``.
    rules : mapping, optional
        Rules by kind.
    """

    def __init__(self, given: Mapping[str, str], rules: Mapping[str, MaskRule] | None = None) -> None:
        for kind in given.values():
            if kind not in (*KINDS, KEEP, TEXT):
                known = ", ".join((*KINDS, TEXT, KEEP))
                raise UsageError(f"{kind!r} is no kind; there is {known}.", "unknown-kind")
        self.given, self.rules = dict(given), rules or mask_rules()
        self.kinds: dict[str, tuple[str, str]] = {}
        self.counts: Counter[tuple[str, str]] = Counter()

    def check_names(self, names: list[str]) -> None:
        """Refuse given columns that are not there.

        Raises
        ------
        NotFoundError
        """
        missing = [name for name in self.given if name not in names]
        if missing:
            raise NotFoundError(f"No column {', '.join(missing)}; there is {', '.join(names[:50])}.")

    def masked(self, column: pl.Series) -> pl.Series:
        """Return a column masked; its name stays."""
        raw: bytes | None = None
        name = column.name
        if name not in self.kinds:
            raw = joined(column)
            self.kinds[name] = self._decided(column, raw)
        kind, _ = self.kinds[name]
        if kind == KEEP:
            return column
        if kind == TEXT:
            raw = joined(column) if raw is None else raw
            return column if raw is None else self._free_text(column, raw)
        texts = mask_column(_as_text(column), kind, self.rules)
        told = int((texts.fill_null("").str.strip_chars() != "").sum())
        self.counts[name, "masked"] += told
        self.counts[name, "hidden"] += int((texts.fill_null("").is_in(["***", "****"])).sum())
        return texts

    def _decided(self, column: pl.Series, raw: bytes | None) -> tuple[str, str]:
        if column.name in self.given:
            return self.given[column.name], "given"
        if raw is None:
            return TEXT, "text"
        kind = kind_of_header(column.name.rpartition(".")[2])
        if kind is not None:
            return kind, "header"
        if is_number_header(column.name):
            return TEXT, "text"
        kind = _kind_of_values(raw, find_in_column(column, raw))
        if kind is None and looks_like_names(raw, 1, 0.0):
            kind = "name"  # rather too much hidden than too little; the user is told, and may say otherwise
        return (TEXT, "text") if kind is None else (kind, "values")

    def _free_text(self, column: pl.Series, raw: bytes) -> pl.Series:
        """Return a column with every find in it masked."""
        found = find_in_column(column, raw)
        spans = [span for span in found if span.confidence != LOW]
        self.counts[column.name, "left"] += len(found) - len(spans)
        if not spans:
            return column
        parts, at, rows = [], 0, set()
        row = row_at = 0
        for span in spans:
            masked = MASKS[span.kind](span.text, self.rules[span.kind])
            parts += [raw[at : span.start], masked.replace("\n", " ").encode()]
            at = span.end
            row += raw.count(b"\n", row_at, span.start)
            row_at = span.start
            rows.add(row)
        parts.append(raw[at:])
        lines = b"".join(parts).decode("utf-8", "replace").split("\n")
        places = sorted(rows)
        self.counts[column.name, "found"] += len(places)
        new = pl.Series([lines[k] for k in places], dtype=pl.String)
        return _as_text(column).clone().scatter(places, new).alias(column.name)

    def told(self) -> tuple[ColumnMask, ...]:
        """Return how each column was masked, and the counts."""
        return tuple(
            ColumnMask(
                name, kind, why, *(self.counts[name, what] for what in ("masked", "hidden", "found", "left"))
            )
            for name, (kind, why) in self.kinds.items()
        )


def _as_text(column: pl.Series) -> pl.Series:
    """Return a column as text, as the finder sees it where it is no text yet."""
    if column.dtype == pl.String:
        return column
    raw = joined(column)
    if raw is None:
        return column.cast(pl.String)
    texts = pl.Series(column.name, raw.decode("utf-8", "replace").split("\n"), dtype=pl.String)
    return texts.set(column.is_null(), None) if column.len() else column.cast(pl.String)


def _kind_of_values(raw: bytes, spans: Spans) -> str | None:
    """Return the kind of most of a column's values, where they are finds and nearly nothing else."""
    whole: Counter[str] = Counter()
    for span in spans:
        begin = raw.rfind(b"\n", 0, span.start) + 1
        end = raw.find(b"\n", span.end)
        value = raw[begin : end if end >= 0 else len(raw)].strip()
        if span.confidence != LOW and span.end - span.start >= 0.8 * len(value):
            whole[span.kind] += 1
    if not whole:
        return None
    kind, count = whole.most_common(1)[0]
    return kind if count >= SHARE * sum(bool(value.strip()) for value in raw.split(b"\n")) else None
