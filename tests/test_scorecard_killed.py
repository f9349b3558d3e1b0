"""A card is put into the registers whole or not at all, whenever the process dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from registers_cases import (  # noqa: F401
    DIES,
    cheap_hashes,
    place,
    postgres,
    small,
    small_database,
    small_file,
)
from scorecard_cases import CARD, people, small_card

from changtong.assessment.card_writer import write_scorecard
from changtong.errors import ChangtongError
from changtong.scorecards.statements import keep_card, read_card
from changtong.storage.store import Desk, Store

KILLED = f"""{DIES}
from changtong.assessment.card_folder import read_scorecard
from changtong.scorecards.statements import keep_card
from changtong.storage.store import open_store
place, files, token, folder = sys.argv[1:-1]
with open_store(place, files=files) as store:
    keep_card(store.desk(token), read_scorecard(folder))
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 2])  # before the card, the first and the second of the assessed
def test_killed_half_way_nothing_of_the_card_is_there_and_it_can_be_kept_again(
    small: tuple[Store, Desk],  # noqa: F811
    place: str,  # noqa: F811
    tmp_path: Path,
    after: int,
) -> None:
    desks = people(*small)
    folder = tmp_path / "card"
    write_scorecard(small_card(), folder)
    arguments = (place, str(tmp_path / "files"), desks["postal"]._token, str(folder), str(after))
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True)
    assert ended.returncode == 9, ended.stderr
    assert not list(desks["postal"].every("scorecard"))
    assert not list(desks["postal"].every("assessment"))
    with pytest.raises(ChangtongError):
        read_card(desks["postal"], CARD)
    keep_card(desks["postal"], small_card())
    assert len(list(desks["postal"].every("assessment"))) == 2
    assert desks["admin"].verify_audit(with_records=True).whole
