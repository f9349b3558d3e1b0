"""Personal data: masked, found, given pseudonyms, deleted in time, handed out in groups only."""
