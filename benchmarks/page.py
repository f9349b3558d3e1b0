"""The page of the benchmarks: what a part measured stands between marks of its own; all else is kept as it is.

A part's text is put where its marks are. Without marks it comes to the end of the section with its title, and without
such a section into a new one at the end of the page. What is written by hand stands outside of marks.
"""

from __future__ import annotations

import re

BEGIN, END = "<!-- measured: {} -->", "<!-- end of {} -->"
HEAD = "# Benchmarks\n"


def put(page: str, key: str, title: str, text: str) -> str:
    """Return the page with a part's text in place of what stood between its marks.

    Parameters
    ----------
    page : str
        Empty: a new one is begun.
    key : str
        Of the part: letters, digits and hyphens.
    title : str
        Heading of its section, where it has no marks yet.
    text : str

    Raises
    ------
    ValueError
        Its marks are there, but not as one pair; or the text holds a mark.

    Examples
    --------
    >>> print(put("", "mcf", "Public instances", "2 s"))
    # Benchmarks
    <BLANKLINE>
    ## Public instances
    <BLANKLINE>
    <!-- measured: mcf -->
    2 s
    <!-- end of mcf -->
    <BLANKLINE>
    """
    begin, end = BEGIN.format(key), END.format(key)
    if "<!-- measured: " in text or "<!-- end of " in text:
        raise ValueError(f"The text of {key} holds a mark of the page.")
    block = f"{begin}\n{text.strip()}\n{end}"
    found = page.count(begin), page.count(end)
    if found != (0, 0):
        first, last = page.find(begin), page.find(end)
        if found != (1, 1) or last < first:
            raise ValueError(f"The marks of {key} on the page are no pair: mend them by hand.")
        return page[:first] + block + page[last + len(end) :]
    page = page or HEAD
    heading = re.search(rf"^## {re.escape(title)}[ \t]*$", page, re.M)
    if heading is None:
        return f"{page.rstrip()}\n\n## {title}\n\n{block}\n"
    after = re.search(r"^## ", page[heading.end() :], re.M)
    at = len(page) if after is None else heading.end() + after.start()
    rest = page[at:]
    return f"{page[:at].rstrip()}\n\n{block}\n" + (f"\n{rest}" if rest else "")


def keys_of(page: str) -> list[str]:
    """Return the parts that have marks, in the order of the page."""
    return re.findall(r"^<!-- measured: (.+?) -->$", page, re.M)
