"""Plans that were approved by two people and issued as orders to sites, in the registers."""
