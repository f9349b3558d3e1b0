"""Alerts: what is silent, what rises, what drifts; found in leg volumes and in the log."""
