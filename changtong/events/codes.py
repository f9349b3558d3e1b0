"""stub until merged"""

from __future__ import annotations

CODES = (
    "accept",
    "inspect",
    "screen",
    "register",
    "receive",
    "sort",
    "pack",
    "unpack",
    "load",
    "depart",
    "arrive",
    "unload",
    "out_for_delivery",
    "attempt",
    "deliver",
    "return",
    "hold",
    "release",
    "customs_in",
    "customs_out",
    "cancel",
    "note",
    "void",
)


def domestic_words() -> dict[str, str]:
    return {
        "揽收": "accept",
        "收件": "receive",
        "装车": "load",
        "发车": "depart",
        "到车": "arrive",
        "卸车": "unload",
        "派件": "out_for_delivery",
        "签收": "deliver",
        "退回": "return",
        "验视": "inspect",
        "安检": "screen",
        "封控滞留": "hold",
    }
