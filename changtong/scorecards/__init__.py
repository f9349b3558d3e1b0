"""Scorecards joined to what the system knows: values of logs and ledgers, and the registers they live in."""
