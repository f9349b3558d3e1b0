"""From fields to the columns of the log: keys, instants, words; each row good, or bad for a stated reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from changtong.events.clocks import EMPTY, READ, read_times
from changtong.events.fields import gather
from changtong.events.hashing import hash_fields, row_keys, wrong_s10
from changtong.events.keys import key_words
from changtong.events.mapping import IDS, Mapping
from changtong.events.sources import Chunk, Text, text_of
from changtong.events.times import TIME_REASONS, WIDTH, time_form, zone_of
from changtong.events.words import Words, shape_of

_NOTHING, _NO_WORD = np.zeros(1, np.int64), np.full(1, -1, np.int32)
"""A column that no row of a file has."""

WORD_FIELDS = ("code", "site_id", "next_site_id", "service_class")


@dataclass(frozen=True)
class Bad:
    """A row that is not in the log: where it stood, and why.

    ``shape`` is what the value looks like, without its letters and digits: it may be personal.
    """

    row: int
    column: str
    code: str
    shape: str = ""


def bad_rows(file: str, bad: list[Bad]) -> pa.Table:
    """Return bad rows as they are kept in the quarantine: not what they say, that may be personal."""
    return pa.table(
        {
            "file": pa.array([file] * len(bad), pa.string()),
            "row": pa.array([row.row for row in bad], pa.int64()),
            "column": pa.array([row.column for row in bad], pa.string()),
            "code": pa.array([row.code for row in bad], pa.string()),
            "shape": pa.array([row.shape for row in bad], pa.string()),
        }
    )


@dataclass
class Parsed:
    """A chunk whose ids and times are read; its words come next, chunk after chunk."""

    chunk: Chunk
    keys: dict[str, NDArray[np.int64]]
    at_ms: NDArray[np.int64]
    recorded_ms: NDArray[np.int64] | None
    recorded: NDArray[np.bool_] | None
    good: NDArray[np.bool_]
    bad: list[Bad]


@dataclass(frozen=True)
class Rows:
    """Good rows of a chunk, column by column; words as numbers into ``vocabularies``."""

    at_ms: NDArray[np.int64]
    recorded: pa.Array
    keys: dict[str, NDArray[np.int64]]
    words: dict[str, NDArray[np.int32]]
    vocabularies: dict[str, list[str]]
    event_id: pa.Array
    attributes: pa.Array
    row_key: NDArray[np.int64]

    def some(self, take: NDArray[np.int64]) -> Rows:
        """Return the rows ``take`` alone."""
        return Rows(
            self.at_ms[take],
            None if self.recorded is None else self.recorded.take(take),
            {name: keys[take] for name, keys in self.keys.items()},
            {name: numbers[take] for name, numbers in self.words.items()},
            self.vocabularies,
            None if self.event_id is None else self.event_id.take(take),
            None if self.attributes is None else self.attributes.take(take),
            self.row_key[take],
        )

    def table(self, take: NDArray[np.int64], schema: pa.Schema) -> pa.Table:
        """Return the rows ``take`` as a table of the log."""
        columns: dict[str, pa.Array] = {
            "at_ms": pa.array(self.at_ms[take]),
            "recorded_ms": self.recorded.take(take)
            if self.recorded is not None
            else _nulls(take, pa.int64()),
            "event_id": self.event_id.take(take)
            if self.event_id is not None
            else _nulls(take, pa.large_string()),
            "row_key": pa.array(self.row_key[take]),
            "attributes": self.attributes.take(take)
            if self.attributes is not None
            else _nulls(take, pa.large_string()),
        }
        for name, field in (("item", "item_id"), ("receptacle", "receptacle_id"), ("vehicle", "vehicle_id")):
            keys = self.keys.get(field)
            columns[name] = _nulls(take, pa.int64()) if keys is None else _keys(keys[take])
        for name in WORD_FIELDS:
            numbers = self.words.get(name)
            words = pa.array(self.vocabularies.get(name, []), pa.string())
            if numbers is None:
                columns[name] = _nulls(take, schema.field(name).type)
            else:
                some = numbers[take]
                indices = pa.array(some, mask=some < 0) if (some < 0).any() else pa.array(some)
                columns[name] = pa.DictionaryArray.from_arrays(indices, words)
        return pa.table([columns[name] for name in schema.names], schema=schema)


def _taken(column: pa.Array | None, take: NDArray[np.int64], kind: pa.DataType) -> pa.Array:
    return _nulls(take, kind) if column is None else column.take(take)


def _nulls(take: NDArray[np.int64], kind: pa.DataType) -> pa.Array:
    return pa.nulls(len(take), kind)


def _keys(keys: NDArray[np.int64]) -> pa.Array:
    none = keys == 0
    return pa.array(keys, mask=none) if none.any() else pa.array(keys)


class Converter:
    """Turns the chunks of one file into rows of the log.

    Parameters
    ----------
    mapping : Mapping
    key : bytes
        Secret of the pseudonyms.
    """

    def __init__(self, mapping: Mapping, key: bytes) -> None:
        self.mapping = mapping
        self._words = {name: Words(mapping.keep_damaged) for name in WORD_FIELDS if name in mapping.columns}
        self._meanings: dict[str, list[int]] = {name: [] for name in self._words}
        self.vocabularies: dict[str, list[str]] = {name: [] for name in WORD_FIELDS}
        self._numbers: dict[str, dict[str, int]] = {name: {} for name in WORD_FIELDS}
        self._key = key_words(key)
        self._form = time_form(mapping.time_format)
        self._recorded_form = time_form(mapping.recorded_format or mapping.time_format)
        zone = mapping.time_zone
        self._zone = (*zone_of(zone or "UTC"), zone is not None)
        self._span = (int(mapping.earliest.timestamp() * 1000), int(mapping.last_instant.timestamp() * 1000))

    # -- the part that needs nothing of the chunks before ----------------------

    def parse(self, chunk: Chunk) -> Parsed:
        """Read ids and times of a chunk."""
        n = len(chunk.rows)
        good = np.ones(n, np.bool_)
        bad = [Bad(row, "", code) for row, code in chunk.bad]
        keys = {}
        for name in IDS:
            if name in chunk.columns:
                keys[name], wrong = self._hash(chunk.columns[name])
                self._reject(chunk, good, bad, wrong, name, "bad-id")
        if self.mapping.check_s10 and "item_id" in chunk.columns:
            wrong = np.empty(n, np.bool_)
            wrong_s10(*chunk.columns["item_id"], wrong)
            self._reject(chunk, good, bad, wrong, "item_id", "s10-check-digit")
        at_ms, state = self._times(chunk.columns["at"], self._form)
        for kind, code in TIME_REASONS.items():
            self._reject(chunk, good, bad, state == kind, "at", code)
        recorded_ms = recorded = None
        if "recorded_at" in chunk.columns:
            recorded_ms, state = self._times(chunk.columns["recorded_at"], self._recorded_form)
            recorded = state == READ
            for kind, code in TIME_REASONS.items():
                if kind != EMPTY:
                    self._reject(chunk, good, bad, state == kind, "recorded_at", code)
        return Parsed(chunk, keys, at_ms, recorded_ms, recorded, good, bad)

    def _hash(self, text: Text) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        out, wrong = np.empty(len(text.starts), np.int64), np.empty(len(text.starts), np.bool_)
        hash_fields(*self._key, *text, out, wrong)
        return out, wrong

    def _times(self, text: Text, form: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        out, state = np.empty(len(text.starts), np.int64), np.empty(len(text.starts), np.uint8)
        begin_ms, offset_ms, known = self._zone
        read_times(*text, form, WIDTH, begin_ms, offset_ms, known, *self._span, out, state)
        return out, state

    @staticmethod
    def _reject(
        chunk: Chunk,
        good: NDArray[np.bool_],
        bad: list[Bad],
        wrong: NDArray[np.bool_],
        column: str,
        code: str,
    ) -> None:
        """Take rows out, each for the first reason found."""
        fresh = np.flatnonzero(wrong & good)
        if not len(fresh):
            return
        good[fresh] = False
        text = chunk.columns.get(column)
        for k in fresh.tolist():
            shape = ""
            if text is not None:
                s = int(text.starts[k])
                shape = shape_of(text.buf[s : s + int(text.lengths[k])].tobytes())
            bad.append(Bad(int(chunk.rows[k]), column, code, shape))

    # -- the part in order of the chunks ----------------------------------------

    def rows(self, parsed: Parsed) -> tuple[Rows, list[Bad]]:
        """Number the words of a chunk, and return its good rows and its bad ones."""
        chunk, good, bad = parsed.chunk, parsed.good, parsed.bad
        words: dict[str, NDArray[np.int32]] = {}
        for name, known in self._words.items():
            numbers = known.number(*chunk.columns[name])
            meanings = self._meaning(name)
            words[name] = np.where(numbers >= 0, meanings[numbers], -1).astype(np.int32)
            code = "unknown-code" if name == "code" else "bad-text"
            self._reject(chunk, good, bad, words[name] == -2, name, code)
        for name in ("site_id", "service_class"):
            if name in self.mapping.defaults:
                numbers = words.setdefault(name, np.full(len(good), -1, np.int32))
                numbers[numbers == -1] = self._number(name, self.mapping.defaults[name])
        self._reject(chunk, good, bad, words["code"] == -1, "code", "no-code")
        if self.mapping.site_needed:
            none = words["site_id"] == -1 if "site_id" in words else np.ones(len(good), np.bool_)
            self._reject(chunk, good, bad, none, "site_id", "no-site")
        alone = np.ones(len(good), np.bool_)
        if not self.mapping.id_needed and "site_id" in words:
            alone = words["site_id"] == -1
        for keys in parsed.keys.values():
            alone &= keys == 0
        self._reject(chunk, good, bad, alone, "item_id", "no-id")
        take = np.flatnonzero(good)
        event_id, event_key = self._event_ids(chunk, good, bad)
        if event_id is not None:
            take = np.flatnonzero(good)
        attributes, attribute_key = self._attributes(chunk)
        row_key = self._row_keys(parsed, words, self._of_voids(event_key, words), attribute_key)
        recorded = None
        if parsed.recorded_ms is not None and parsed.recorded is not None:
            recorded = pa.array(parsed.recorded_ms, mask=~parsed.recorded)
        rows = Rows(
            parsed.at_ms, recorded, parsed.keys, words, self.vocabularies, event_id, attributes, row_key
        )
        return (rows if len(take) == len(good) else rows.some(take)), bad

    def _number(self, name: str, word: str) -> int:
        """Return the number of a word of the log, a new one where it is new."""
        number = self._numbers[name].setdefault(word, len(self.vocabularies[name]))
        if number == len(self.vocabularies[name]):
            self.vocabularies[name].append(word)
        return number

    def _meaning(self, name: str) -> NDArray[np.int32]:
        """Return the number of each word of the file in the log; -2: no word we know."""
        meanings = self._meanings[name]
        for text in self._words[name].texts()[len(meanings) :]:
            word = text
            if name == "code" and text is not None:
                word = self.mapping.code_of(text)
            elif name == "service_class" and text is not None:
                word = self.mapping.service_classes.get(text, text)
            meanings.append(-2 if word is None else self._number(name, word))
        return np.array([*meanings, -1], np.int32)

    def _event_ids(
        self, chunk: Chunk, good: NDArray[np.bool_], bad: list[Bad]
    ) -> tuple[pa.Array | None, NDArray[np.int64] | None]:
        if "event_id" not in chunk.columns:
            return None, None
        text = chunk.columns["event_id"]
        keys, wrong = self._hash(text)
        self._reject(chunk, good, bad, wrong, "event_id", "bad-id")
        return text_array(text, good), keys

    def _of_voids(
        self, event_key: NDArray[np.int64] | None, words: dict[str, NDArray[np.int32]]
    ) -> NDArray[np.int64] | None:
        """Return the keys of events, others for void rows: these bear the id of what they declare wrong."""
        if event_key is None or "void" not in self.vocabularies["code"] or "code" not in words:
            return event_key
        is_void = words["code"] == self.vocabularies["code"].index("void")
        return np.where(is_void & (event_key != 0), ~event_key, event_key)

    def _attributes(self, chunk: Chunk) -> tuple[pa.Array | None, NDArray[np.int64] | None]:
        if "attributes" in chunk.columns:  # JSON text already
            given = chunk.columns["attributes"]
            return text_array(given, np.ones(len(chunk.rows), np.bool_)), self._hash(given)[0]
        if not self.mapping.attributes:
            return None, None
        every = np.ones(len(chunk.rows), np.bool_)
        frame = pl.DataFrame(
            {
                name: pl.Series(text_array(chunk.columns[f"attribute:{name}"], every)).replace("", None)
                for name in self.mapping.attributes
            }
        )
        empty = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
        text = frame.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        texts = pl.select(pl.when(~empty).then(text)).to_series().to_arrow().cast(pa.large_string())
        keys, _ = self._hash(text_of(texts))
        return texts, keys

    def _row_keys(
        self,
        parsed: Parsed,
        words: dict[str, NDArray[np.int32]],
        event_key: NDArray[np.int64] | None,
        attribute_key: NDArray[np.int64] | None,
    ) -> NDArray[np.int64]:
        """Return the identity of each row: its event's id where it has one, else all it says."""
        out = np.empty(len(parsed.at_ms), np.int64)
        row_keys(
            *self._key,
            tuple(parsed.keys.get(name, _NOTHING) for name in IDS),
            parsed.at_ms,
            _NOTHING if attribute_key is None else attribute_key,
            tuple(words.get(name, _NO_WORD) for name in WORD_FIELDS),
            tuple(self._word_hashes(name) for name in WORD_FIELDS),
            _NOTHING if event_key is None else event_key,
            out,
        )
        return out

    def _word_hashes(self, name: str) -> NDArray[np.int64]:
        known = self.vocabularies[name]
        return np.array([*(_hash_word(word) for word in known), 0, 0], np.int64)


_HASHED: dict[str, int] = {}


def _hash_word(word: str) -> int:
    """Return the same number for a word in every run."""
    found = _HASHED.get(word)
    if found is None:
        raw = np.frombuffer(word.encode(), np.uint8)
        out, wrong = np.zeros(1, np.int64), np.zeros(1, np.bool_)
        zero = np.uint64(0)
        hash_fields(zero, zero, raw, np.zeros(1, np.int32), np.full(1, len(raw), np.int32), out, wrong)
        found = _HASHED[word] = int(out[0])
    return found


def text_array(text: Text, sound: NDArray[np.bool_]) -> pa.Array:
    """Return fields as Arrow text; null where empty or not sound."""
    lengths = np.where(sound, text.lengths, 0).astype(np.int64)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    data = np.empty(max(1, int(offsets[-1])), np.uint8)
    gather(text.buf, text.starts, lengths, offsets, data)
    empty = lengths == 0
    valid = pa.array(~empty).buffers()[1] if empty.any() else None
    return pa.LargeStringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(data), valid)
