"""The vault: ids behind pseudonyms, encrypted, and given back only with the key and a right."""
