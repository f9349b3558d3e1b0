"""The workforce: rosters, rights tickets, relief policies."""
