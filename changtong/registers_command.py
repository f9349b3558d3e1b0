"""The groups of commands ``registers`` and ``audit``, put together from their subjects."""

from __future__ import annotations

import typer

# importing a subject's file puts its commands into the groups, in the order of the help
from changtong import (
    registers_copies_command,
    registers_people_command,
    registers_privacy_command,
    registers_records_command,
)
from changtong.registers_options import audit, registers

SUBJECTS = (
    registers_copies_command,
    registers_people_command,
    registers_records_command,
    registers_privacy_command,
)


def register(app: typer.Typer) -> None:
    """Add the groups."""
    app.add_typer(registers, name="registers", short_help="Registers of sites, inspections, hazards; users.")
    app.add_typer(audit, name="audit", short_help="Verify the audit of the registers.")
