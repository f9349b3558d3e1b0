"""Duty (值班): rosters, who is on, check-in, hand-over, calls that escalate."""
