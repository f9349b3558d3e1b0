"""Photos: what they are by their first bytes, and without what a camera writes into them.

That is position, time, owner, a small picture.

Pixels are not touched. A JPEG keeps its turning, so that it is shown upright; a colour profile stays as well.
"""

from __future__ import annotations

import struct
import zlib

JPEG, PNG, WEBP = "image/jpeg", "image/png", "image/webp"
ENDINGS = {JPEG: "jpg", PNG: "png", WEBP: "webp"}
MOST_BYTES = 5_000_000
"""Of one photo; the page for phones makes them a tenth of it."""

ORIENTATION = 0x0112
PNG_KEPT = {
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"pHYs",
    b"bKGD",
}  # fmt: skip
WEBP_DROPPED = {b"EXIF", b"XMP "}


class NoPhoto(ValueError):
    """The bytes are no photo that can be read."""


def media_type(content: bytes) -> str | None:
    """Return what kind of photo it is, None where it is none.

    Parameters
    ----------
    content : bytes

    Examples
    --------
    >>> media_type(b"GIF89a")
    """
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return WEBP
    return None


def without_camera_data(content: bytes) -> bytes:
    """Return a photo without position and whatever else a camera or an editor wrote beside the pixels.

    Parameters
    ----------
    content : bytes
        JPEG, PNG or WebP.

    Raises
    ------
    NoPhoto
        It is none of these, or broken.
    """
    kind = media_type(content)
    try:
        if kind == JPEG:
            return _clean_jpeg(content)
        if kind == PNG:
            return _clean_png(content)
        if kind == WEBP:
            return _clean_webp(content)
    except (struct.error, IndexError) as error:
        raise NoPhoto("the photo is broken off.") from error
    raise NoPhoto("this is no JPEG, PNG or WebP.")


def has_camera_data(content: bytes) -> bool:
    """Tell whether anything would be taken out.

    Parameters
    ----------
    content : bytes
    """
    return without_camera_data(content) != content


def _clean_jpeg(content: bytes) -> bytes:
    """Keep the segments that pixels need; end at the end of the first image."""
    out = bytearray(b"\xff\xd8")
    turned, at = 1, 2
    while True:
        if content[at] != 0xFF:
            raise NoPhoto("the photo's segments do not follow each other.")
        while content[at] == 0xFF:  # fill bytes may stand before a marker
            at += 1
        marker = content[at]
        at += 1
        if marker == 0xD9:
            return _turned(bytes(out) + b"\xff\xd9", turned)
        (length,) = struct.unpack(">H", content[at : at + 2])
        segment = content[at : at + length]
        if length < 2 or len(segment) < length:
            raise NoPhoto("the photo is broken off.")
        at += length
        if marker == 0xE1 and segment[2:8] == b"Exif\0\0":
            turned = _orientation(segment[8:])
        # APP0 (JFIF), APP2 with a colour profile and APP14 (how colours are coded) belong to the pixels
        keep = not (0xE0 <= marker <= 0xEF or marker == 0xFE) or marker in (0xE0, 0xEE)
        if keep or (marker == 0xE2 and segment[2:13] == b"ICC_PROFILE"):
            out += bytes((0xFF, marker)) + segment
        if marker == 0xDA:
            end = _scan_end(content, at)
            out += content[at:end]
            at = end


def _scan_end(content: bytes, at: int) -> int:
    """Return where the pixels of a scan end: at a marker that is no restart and no stuffed byte."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise NoPhoto("the photo is broken off.")
        follows = content[at + 1]
        if follows == 0xFF:
            at += 1
        elif follows == 0 or 0xD0 <= follows <= 0xD7:
            at += 2
        else:
            return at


def _orientation(exif: bytes) -> int:
    """Return how the camera was held, 1 where it is not said or cannot be read."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return 1
    (offset,) = struct.unpack(order + "I", exif[4:8])
    if offset + 2 > len(exif):
        return 1
    (count,) = struct.unpack(order + "H", exif[offset : offset + 2])
    for k in range(count):
        entry = exif[offset + 2 + 12 * k : offset + 14 + 12 * k]
        if len(entry) < 12:
            return 1
        tag, _, _, value = struct.unpack(order + "HHIH", entry[:10])
        if tag == ORIENTATION:
            return int(value) if 1 <= value <= 8 else 1
    return 1


def _turned(photo: bytes, turned: int) -> bytes:
    """Put back how the camera was held, and nothing else."""
    if turned == 1:
        return photo
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, ORIENTATION, 3, 1, turned, 0, 0)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    start = 2
    if photo[2:4] == b"\xff\xe0":  # JFIF must stay first
        start = 4 + int(struct.unpack(">H", photo[4:6])[0])
    return photo[:start] + segment + photo[start:]


def _clean_png(content: bytes) -> bytes:
    out, at = bytearray(content[:8]), 8
    while True:
        length, name = struct.unpack(">I4s", content[at : at + 8])
        chunk = content[at : at + 12 + length]
        if len(chunk) < 12 + length:
            raise NoPhoto("the photo is broken off.")
        if zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
            raise NoPhoto("the photo is damaged.")
        if name in PNG_KEPT:
            out += chunk
        at += len(chunk)
        if name == b"IEND":
            return bytes(out)


def _clean_webp(content: bytes) -> bytes:
    (size,) = struct.unpack("<I", content[4:8])
    end = 8 + size
    if end > len(content):
        raise NoPhoto("the photo is broken off.")
    out, at = bytearray(b"WEBP"), 12
    while at < end:
        name, length = struct.unpack("<4sI", content[at : at + 8])
        chunk = bytearray(content[at : at + 8 + length + (length & 1)])
        if len(chunk) < 8 + length:
            raise NoPhoto("the photo is broken off.")
        at += 8 + length + (length & 1)
        if name == b"VP8X":
            chunk[8] &= 0xFF ^ 0x0C  # it tells of EXIF and XMP, which are dropped
        if name not in WEBP_DROPPED:
            out += chunk
    return b"RIFF" + struct.pack("<I", len(out)) + bytes(out)
