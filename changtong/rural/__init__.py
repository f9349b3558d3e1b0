"""County, township, village: coverage, and routes of both levels."""
