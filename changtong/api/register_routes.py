"""Everything the registers offer over the API, in one list; and which of it takes large bodies."""

from __future__ import annotations

import re

from changtong.api import (
    administration,
    assessments,
    data_requests,
    duty_room,
    emergency_cases,
    record_moves,
    records,
    registers_care,
    rights_tickets,
    scorecards,
    supervision,
)
from changtong.storage.attachments import MOST_BYTES

ROUTERS = (
    records.router, record_moves.router, records.holds, records.templates, supervision.router,
    assessments.router,
    scorecards.router, duty_room.router, rights_tickets.router, data_requests.router,
    emergency_cases.router, administration.router, administration.own, registers_care.router,
)  # fmt: skip

ABOUT_A_FILE = 1 << 20
"""What stands around a file in a body."""

LARGER = (
    (re.compile(r"/api/v1/records/[a-z_]+/([^/]+/attachments|load)"), MOST_BYTES + ABOUT_A_FILE),
    (re.compile(r"/api/v1/rights-tickets/[^/]+/answers"), 2 * MOST_BYTES + ABOUT_A_FILE),
    (re.compile(r"/api/v1/(scorecards|duty-rooms/[^/]+/rosters)"), 4 << 20),
)
"""Path of a POST -> bytes its body may have."""
