"""Emergency cases in the registers: the same entries, under rights and in one transaction each."""
