"""Scan logs made up, of any size, with known damage: for tests, trials and benchmarks."""
