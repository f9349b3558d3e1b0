"""Registers: what organisations write down, in SQLite or PostgreSQL, behind one doorway."""
