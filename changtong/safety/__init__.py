"""Safety supervision: forms, inspections, hazards, visits, campaigns, tasks; no database is known here."""
