"""Safety supervision in the registers: the pure ledgers of `changtong.safety` decide, a desk keeps."""
