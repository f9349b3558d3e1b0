"""Scorecards joined to what the system knows: values from logs and ledgers, and the registers they live in."""
