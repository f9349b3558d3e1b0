"""Events looked at in a process of its own: ``python -m changtong.api.intake_check_process``.

Reading and checking a hundred events takes as long as answering two people; done in the server's own
process it would hold up everyone who looks at a page. It keeps documents from outside out of it, too.
A question is a line of JSON: ``body`` (base64), ``key`` (hex), ``form`` and ``time_zone``; the answer has the
fields of `Checked`.
"""

from __future__ import annotations

import base64
import sys
from typing import Any

from changtong.api.intake_rows import Checked
from changtong.api.network_process import answer_lines
from changtong.errors import Problem


def main() -> int:
    """Answer until nobody asks any more."""
    return answer_lines(checked, ends_at_once=True)


def question_of(form: str, body: bytes, key: bytes, time_zone: str | None = None) -> dict[str, Any]:
    """Return the question about a request's body.

    Parameters
    ----------
    form : {"events", "epcis"}
    body : bytes
    key : bytes
        Of the log's pseudonyms.
    time_zone : str, optional
        Of times that name none.
    """
    return {
        "form": form,
        "body": base64.b64encode(body).decode(),
        "key": key.hex(),
        "time_zone": time_zone,
    }


def checked(question: dict[str, Any]) -> dict[str, Any]:
    """Answer a question.

    Raises
    ------
    InputError
        As `check_events` and `check_epcis` do.
    """
    from changtong.api.intake_rows import check_epcis, check_events

    body, key = base64.b64decode(question["body"]), bytes.fromhex(question["key"])
    if question["form"] == "epcis":
        found = check_epcis(body, key)
    else:
        found = check_events(body, key, question["time_zone"])
    return {
        "body": base64.b64encode(found.body).decode(),
        "rows": found.rows,
        "read": found.read,
        "bad": [one.to_dict() for one in found.bad],
        "bad_rows": found.bad_rows,
        "noticed": found.noticed,
    }


def checked_of(told: dict[str, Any]) -> Checked:
    """Return what an answer says."""
    bad = tuple(Problem(**one) for one in told["bad"])
    body = base64.b64decode(told["body"])
    return Checked(body, told["rows"], told["read"], bad, told["bad_rows"], told["noticed"])


if __name__ == "__main__":
    sys.exit(main())
