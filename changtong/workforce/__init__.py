"""Workforce: rosters, workload and its fairness, hours and rest; no database is known here."""
