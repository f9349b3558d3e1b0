"""A page taken apart, for tests of what it says and holds."""

from __future__ import annotations

import json
from html.parser import HTMLParser


class Page(HTMLParser):
    """A page as its elements, scripts and table rows."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self.tables: dict[str, list[list[str]]] = {}
        self.values: dict[str, list[list[float]]] = {}
        self._open: list[str] = []
        self._table = ""
        self.said = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.elements.append((tag, named))
        if tag in self.inline:
            self.inline[tag].append("")
            self._open.append(tag)
        if tag == "table":
            self._table = named.get("id") or f"table-{len(self.tables)}"
            self.tables[self._table], self.values[self._table] = [], []
        elif tag == "tr" and self._table:
            self.tables[self._table].append([])
            self.values[self._table].append([])
        elif tag in ("td", "th") and self._table and self.tables[self._table]:
            self.tables[self._table][-1].append("")
        elif tag == "data" and self._table and named.get("value"):
            self.values[self._table][-1].append(float(str(named["value"])))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        if tag == "table":
            self.tables[self._table] = [[part.strip() for part in row] for row in self.tables[self._table]]
            self._table = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inline[self._open[-1]][-1] += data
            return
        self.said += data
        if self._table and self.tables[self._table] and self.tables[self._table][-1]:
            self.tables[self._table][-1][-1] += data

    def embedded(self) -> dict:
        """Return the data of the scripts."""
        return json.loads(self.inline["script"][0])
