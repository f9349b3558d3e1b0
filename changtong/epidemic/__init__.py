"""Epidemic control: site states, measures, settling of international mail, cases, passes, whitelists."""
