"""Who was where, in what, with whom, for how long: traces and dwell over item-sorted rows."""
