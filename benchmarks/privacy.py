"""How fast personal data is found and masked, in MB a second of one core, and how much memory that takes."""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from changtong.privacy.find_personal_data import find_personal_data
from changtong.privacy.mask_file import mask_file

SURNAMES, GIVEN = "王李张刘陈杨黄吴赵周", "伟芳娜敏静丽强磊军洋"


def scan_line(draw: random.Random) -> str:
    """Return a line of a log in which nothing is personal."""
    return (
        f"2026-11-27T03:38:{draw.randrange(60):02d}.123 INFO scan SF{draw.randrange(10**13):013d} at C44010"
        f"{draw.randrange(10)} lon {draw.uniform(73, 135):.6f} lat {draw.uniform(18, 53):.6f} 分拨中心 装车 完成 "
        f"batch {draw.randrange(10**18)}"
    )


def address_line(draw: random.Random) -> str:
    """Return a row of an export with a name, a phone number and an address, all made up."""
    name = draw.choice(SURNAMES) + "".join(draw.choices(GIVEN, k=draw.randint(1, 2)))
    road = f"广东省广州市天河区{draw.choice('东南西北')}湖路{draw.randint(1, 999)}号{draw.randint(1, 30)}栋"
    room = f"{draw.randint(1, 4)}单元{draw.randint(1, 30)}0{draw.randint(1, 4)}室"
    return f"SF{draw.randrange(10**13):013d},{name},1{draw.randint(30, 39)}{draw.randrange(10**8):08d},{road}{room}"


def write(path: Path, megabytes: float, line: Callable[[random.Random], str], header: str = "") -> None:
    """Write lines until a file has its size; every 50,000 come again."""
    draw = random.Random(5)
    block = "".join(line(draw) + "\n" for _ in range(50_000)).encode()
    with path.open("wb") as file:
        file.write(header.encode())
        while file.tell() < megabytes * 1e6:
            file.write(block)


def measured(what: str, path: Path, run: Callable[[], object]) -> None:
    """Run something, and print its speed."""
    begin, clock = time.process_time(), time.perf_counter()
    run()
    spent, wall = time.process_time() - begin, time.perf_counter() - clock
    size = path.stat().st_size / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{what:<44} {size:7.0f} MB  {size / spent:6.1f} MB/s of a core  {wall:6.1f} s  peak so far {peak:,.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=100)
    size = parser.parse_args().megabytes
    with tempfile.TemporaryDirectory() as folder:
        log, export = Path(folder) / "scans.log", Path(folder) / "export.csv"
        write(log, size, scan_line)
        measured("find: text with nothing personal", log, lambda: find_personal_data([log]))
        write(export, size, address_line, "waybill,收件人,tel,地址\n")
        masked = Path(folder) / "masked.csv"
        measured("mask: name, phone and address in each row", export, lambda: mask_file(export, masked))
        rows = Path(folder) / "rows.txt"
        write(rows, size / 5, address_line)
        measured("find: name, phone and address in each line", rows, lambda: find_personal_data([rows]))
        table = Path(folder) / "small.csv"
        write(table, size / 5, address_line, "waybill,收件人,tel,地址\n")
        measured("find: the same as a CSV with headers", table, lambda: find_personal_data([table]))


if __name__ == "__main__":
    main()
