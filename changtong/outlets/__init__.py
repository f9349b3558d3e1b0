"""Outlets (网点): how stable each stands, why, and which may stop in the next months."""
