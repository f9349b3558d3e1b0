"""Made-up persons and numbers for the tests of privacy: nothing here belongs to anyone."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from pathlib import Path

from faker import Faker

ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def luhn(digits: str) -> str:
    """Return a number with its check digit behind it."""
    total = 0
    for k, sign in enumerate(reversed(digits)):
        value = int(sign) * (2 if k % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


def id_sign(digits: str) -> str:
    """Return the last sign of an ID number, written out apart from the package."""
    return "10X98765432"[sum(int(d) * w for d, w in zip(digits, ID_WEIGHTS, strict=True)) % 11]


def s10(random_: random.Random) -> str:
    """Return a number by UPU S10."""
    digits = f"{random_.randrange(10**8):08d}"
    rest = 11 - sum(int(d) * w for d, w in zip(digits, (8, 6, 4, 2, 3, 5, 9, 7), strict=True)) % 11
    return f"EE{digits}{ {10: 0, 11: 5}.get(rest, rest) }CN".replace(" ", "")


def positives(count: int, seed: int = 7) -> dict[str, list[tuple[str, str]]]:
    """Return lines with one value each, by kind: (line, value)."""
    fake, draw = Faker("zh_CN"), random.Random(seed)
    fake.seed_instance(seed)
    mobiles = [fake.phone_number() for _ in range(count)]
    spelled: list[Callable[[str], str]] = [
        lambda m: m, lambda m: f"+86{m}", lambda m: f"+86 {m}", lambda m: f"{m[:3]}-{m[3:7]}-{m[7:]}",
        lambda m: f"{m[:3]} {m[3:7]} {m[7:]}",
        lambda m: "".join(chr(ord(d) + 0xFEE0) for d in m), lambda m: f"86-{m}",
    ]  # fmt: skip
    cards = [luhn("62" + "".join(draw.choices("0123456789", k=draw.choice((13, 16))))) for _ in range(count)]
    areas = ("010", "021", "027", "0571", "0755", "0371")
    landlines = [
        f"{draw.choice(areas)}-{draw.randint(2, 8)}{draw.randrange(10**7):07d}" for _ in range(count)
    ]
    names = [fake.name() for _ in range(count)]
    addresses = [
        fake.address().split(" ")[0] if k % 2 else
        f"{fake.province()}{fake.city()}{fake.district()}区{fake.street_name()}{draw.randint(1, 999)}号"
        f"{draw.randint(1, 30)}栋{draw.randint(1, 4)}单元{draw.randint(1, 30)}0{draw.randint(1, 4)}室"
        for k in range(count)
    ]  # fmt: skip
    return {
        "mobile": [(f"请联系 {s}，谢谢", s) for k, m in enumerate(mobiles) for s in [spelled[k % 7](m)]],
        "landline": [(f"值班 {n}，夜间", n) for n in landlines],
        "id_number": [(f"证件 {n} 已核", n) for n in (fake.ssn() for _ in range(count))],
        "bank_card": [(f"退款到 {c}", c) for c in cards],
        "plate": [(f"车 {p} 到站", p) for p in (fake.license_plate() for _ in range(count))],
        "email": [(f"发至 {e} 即可", e) for e in (fake.email() for _ in range(count))],
        "name": [(f"{n} {mobiles[k]}", n) for k, n in enumerate(names)],
        "address": [(f"送到 {a} 门口", a) for a in addresses],
    }


def negatives(count: int, seed: int = 11) -> dict[str, list[str]]:
    """Return lines that hold nothing personal, by what they hold."""
    draw = random.Random(seed)

    def digits(size: int) -> str:
        return "".join(draw.choices("0123456789", k=size))

    def time() -> str:
        day = f"20221{draw.randint(0, 2)}{draw.randint(10, 28)}"
        seconds = 1669000000 + draw.randrange(10**8)
        return draw.choice((f"t={seconds}123", f"at {seconds}", day + digits(6), "2022-11-27 03:38:37.123"))

    def code() -> str:
        return f"code {draw.randint(11, 65)}{digits(4)} {draw.randint(11, 65)}{digits(10)}"

    def site() -> str:
        return f"第{draw.randint(1, 99)}号线 分拨{draw.randint(1, 9)}号门 装车{draw.randrange(10**4)}件"

    makers: dict[str, Callable[[], str]] = {
        "waybill with letters": lambda: f"扫描 {draw.choice(('SF', 'JT', 'YT', 'JDV'))}{digits(13)} 到站",
        "waybill of digits": lambda: (
            f"运单号 {draw.choice('2345789')}{digits(draw.choice((11, 12, 13, 14)))}"
        ),
        "waybill like a mobile": lambda: f"运单号：1{draw.randint(3, 9)}{digits(9)}",
        "UPU S10": lambda: f"item {s10(draw)} EMC",
        "timestamp": time,
        "coordinate": lambda: f"{draw.uniform(73, 135):.8f},{draw.uniform(18, 53):.8f}",
        "order id": lambda: f"订单号 {draw.randint(2015, 2026)}{digits(draw.choice((8, 12, 14)))}",
        "admin code": code,
        "amount": lambda: f"金额 {draw.randrange(10**11)}.{digits(2)} 元",
        "hex id": lambda: f"{draw.getrandbits(128):032x}",
        "site": site,
        "words": lambda: draw.choice(("于是安排高速车辆，时间成本下降", "全部包裹安全到达江苏分拨中心")),
    }
    return {what: [make() for _ in range(count)] for what, make in makers.items()}


def write_xlsx(path: Path, rows: list[list[str]]) -> None:
    """Write the smallest workbook there is; what looks like a number is one."""
    cells = "".join(
        "<row>" + "".join(
            f"<c><v>{v}</v></c>" if v[0].isdigit() else f'<c t="inlineStr"><is><t>{v}</t></is></c>'
            for v in row
        ) + "</row>"
        for row in rows
    )  # fmt: skip
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", f'<workbook xmlns="{space}"/>')
        archive.writestr(
            "xl/worksheets/sheet1.xml",
            f'<worksheet xmlns="{space}"><sheetData>{cells}</sheetData></worksheet>',
        )
