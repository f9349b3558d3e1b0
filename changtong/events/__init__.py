"""The scan log: what was seen where and when."""
