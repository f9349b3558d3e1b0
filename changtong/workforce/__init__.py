"""The workforce: rosters, workload and its fairness, hours and rest, rights tickets, relief policies."""
