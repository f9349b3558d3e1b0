"""Questions about scan logs, in a process of its own: ``python -m changtong.api.log_process``."""

from __future__ import annotations

import sys
from typing import Any

from changtong.api.network_process import answer_lines
from changtong.api.program import stand_back


def main() -> int:
    """Answer until nobody asks any more."""
    stand_back()

    def answered(question: dict[str, Any]) -> dict[str, Any]:
        from changtong.api.log_answers import answer

        return answer(question)

    return answer_lines(answered, ends_at_once=True)


if __name__ == "__main__":
    sys.exit(main())
