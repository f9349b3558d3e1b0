"""Filled forms, photos and small tables for tests of safety supervision."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

POSITION = b"GPS 31.2304 121.4737"
SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\x12\x34\xff\x00\x56\xff\xd0\x78"


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def exif(turned: int = 1, order: str = ">") -> bytes:
    """An Exif segment with how the camera was held, and a position behind it."""
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "IH", 8, 1)
    body = head + struct.pack(order + "HHIHH", 0x0112, 3, 1, turned, 0) + bytes(4) + POSITION
    content = b"Exif\0\0" + body
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def jpeg(*segments: bytes, after: bytes = b"") -> bytes:
    jfif = b"\xff\xe0\x00\x10JFIF\0\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    table = b"\xff\xdb\x00\x05\x00\x01\x02"
    return b"\xff\xd8" + jfif + b"".join(segments) + table + SCAN + b"\xff\xd9" + after


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(*more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + pixels + chunk(b"IEND", b"")


def webp(*more: bytes) -> bytes:
    def part(name: bytes, content: bytes) -> bytes:
        return name + struct.pack("<I", len(content)) + content + bytes(len(content) & 1)

    body = b"WEBP" + part(b"VP8X", b"\x0c" + bytes(9)) + part(b"VP8 ", b"abc") + b"".join(more)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def filled(
    number: int = 1, *, revision: int = 1, history: tuple[int, ...] = (), **more: Any
) -> dict[str, Any]:
    """A filled site-daily form: the fire equipment is broken."""
    made: dict[str, Any] = {
        "inspection_id": uuid(number),
        "revision_id": uuid(1000 * number + revision),
        "history": [uuid(1000 * number + one) for one in history],
        "device_id": uuid(9),
        "form": {"id": "site-daily", "version": "2017.1"},
        "site_id": f"S{number}",
        "site_name": "测试网点",
        "inspectors": ["I1", "I2"],
        "begun_at": "2026-03-02T09:00:00+08:00",
        "saved_at": "2026-03-02T09:30:00+08:00",
        "finished": True,
        "answers": {"r05": {"value": True, "note": "灭火器过期", "rectify": True, "photos": ["p1"]}},
        "photos": {"p1": photo(jpeg(exif()))},
    }
    return made | more


def photo(content: bytes) -> dict[str, str]:
    return {"media_type": "image/jpeg", "data": base64.b64encode(content).decode()}


def file_of(*inspections: Any) -> dict[str, Any]:
    return {"changtong": {"kind": "filled-forms", "version": 1}, "inspections": list(inspections)}


def write_file(path: Path, *inspections: Any) -> Path:
    path.write_text(json.dumps(file_of(*inspections), ensure_ascii=False), "utf-8")
    return path
