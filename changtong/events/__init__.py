"""The scan log: what was scanned where and when, and what follows from it."""
