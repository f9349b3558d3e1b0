"""Foreign XML of warnings and feeds, parsed without document types, entities or outside files."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
CHINESE = ("gbk", "gb2312", "gb18030", "cp936")
"""Encodings found in China that the parser does not know; all are read as GB 18030."""


class UnreadableXmlError(ValueError):
    """What is no XML, or none that is read.

    Attributes
    ----------
    expected : str
    """

    def __init__(self, text: str, expected: str) -> None:
        super().__init__(text)
        self.expected = expected


def parse_xml(content: bytes) -> Element:
    """Return the root of a document.

    Parameters
    ----------
    content : bytes
        UTF-8, UTF-16, or a Chinese encoding that its declaration names.

    Raises
    ------
    UnreadableXmlError
        It is no XML, has a document type or entities, or an encoding nobody knows.

    Examples
    --------
    >>> parse_xml('<?xml version="1.0" encoding="GBK"?><a>雨</a>'.encode("gbk")).text
    '雨'
    """
    declared = ENCODING.match(content)
    text: bytes | str = content
    try:
        if declared is not None and declared[1].decode("ascii").lower() in CHINESE:
            text = content.decode("gb18030")
        root: Element = fromstring(text, forbid_dtd=True)
    except ParseError as error:
        raise UnreadableXmlError(f"No XML: {error}.", "a CAP message") from None
    except DefusedXmlException:
        raise UnreadableXmlError("It has a document type or entities.", "a CAP message without") from None
    except (LookupError, ValueError):  # an encoding nobody knows, or text that is not in the one it names
        raise UnreadableXmlError("Its encoding is not known.", "UTF-8") from None
    return root
