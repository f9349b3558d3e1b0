"""County, township, village: routes on two levels."""
