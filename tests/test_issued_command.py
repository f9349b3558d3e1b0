"""The command line of issued plans: the same answers as the functions, by the tokens of those who act."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from issued_cases import people, plan_folder
from registers_cases import cheap_hashes, place, postgres, small, small_database, small_file  # noqa: F401

from changtong.cli import main
from changtong.response_records.issued_orders import list_orders, read_order
from changtong.response_records.issued_plans import read_plan
from changtong.storage.store import Desk, Store


def test_the_story_by_commands(
    small: tuple[Store, Desk],  # noqa: F811
    place: str,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    desks = people(*small)
    for name, desk in desks.items():
        (tmp_path / name).write_text(desk._token)
    folder, who = plan_folder(tmp_path / "PLAN"), tmp_path / "who.txt"
    who.write_text("王强\n", "utf-8")

    def run(by: str, command: str, *arguments: object, code: int = 0) -> dict[str, Any]:
        given = ["issued", command, place, *map(str, arguments), "--token", str(tmp_path / by)]
        assert main([*given, "--json"]) == code, command
        made: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert main(given) in (code, 2), command  # in words, too; some things are done once only
        capsys.readouterr()
        return made

    made = run("pan", "propose", folder, "--title", "A shut", "--valid-from", "2026-06-01T16:00+08:00")
    plan = made["id"]
    assert run("pan", "approve", plan, code=2)["error"] == "second-person-needed"
    assert run("li", "approve", plan)["state"] == "approved"
    assert run("pan", "issue", plan)["state"] == "issued"
    assert run("ft", "list")["issued_plans"][0]["id"] == plan
    assert run("ft", "show", plan, "--site", "B") == read_order(desks["ft"], plan, "B")
    assert run("ft", "cannot", plan, "B", "--reason", "no lorry")["state"] == "cannot"
    assert run("ft", "acknowledge", plan, "B")["state"] == "acknowledged"
    assert run("li", "acknowledge", plan, "H1", code=2)["problems"][0]["code"] == "said-by-missing"
    assert run("li", "acknowledge", plan, "H1", "--said-by-file", who)["said_by"] == "王*"
    assert run("li", "show", plan) == read_plan(desks["li"], plan)
    assert run("li", "orders", plan)["orders"] == list_orders(desks["li"], plan)[0]
    run("li", "orders", plan, "-o", tmp_path / "orders.csv")
    assert (tmp_path / "orders.csv").read_text("utf-8-sig").count("\n") == 5
    assert run("li", "verify", plan)["whole"]
    assert run("li", "verify", plan, "--head", f"999:{'0' * 64}", code=1)["findings"][-1]["what"] == "cut-off"
    assert run("li", "withdraw", plan, "--reason", "A is open")["state"] == "withdrawn"
    assert [one["site"] for one in run("li", "orders", plan, "--state", "stop_waits")["orders"]] == [
        "B",
        "H1",
    ]
    assert run("ft", "acknowledge", plan, "B", code=2)["error"] == "conflict"
    read = run("ft", "acknowledge", plan, "B", "--withdrawal", "--words", "called back")
    assert read["stop_words"] == "called back"
    assert run("li", "acknowledge", plan, "B", "--withdrawal", "--said-by-file", who, code=2)["error"] == (
        "conflict"
    )
    for arguments, words in (
        (("show", place, plan), "  the withdrawal: acknowledged by 1 of 2 sites"),
        (("acknowledge", place, plan, "B", "--withdrawal"), "; the withdrawal was acknowledged by ft at "),
        (("orders", place, plan), "H1 北转运中心: withdrawn, answered by "),
        (("orders", place, plan, "--state", "stop_waits"), "; the withdrawal is to be acknowledged until "),
    ):
        by = "ft" if arguments[0] == "acknowledge" else "li"
        assert main(["issued", *arguments, "--token", str(tmp_path / by)]) == 0
        assert words in capsys.readouterr().out
    assert run("bei", "show", plan, code=2)["error"] == "not-found"
    assert run("li", "show", plan, "--whole", code=2)["error"] == "bad-usage"
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    assert run("li", "propose", nothing, "--title", "x", code=2)["error"] == "not-a-plan-folder"
    assert (
        run("li", "acknowledge", plan, "B", "--said-by-file", nothing, code=2)["error"] == "unreadable-file"
    )
