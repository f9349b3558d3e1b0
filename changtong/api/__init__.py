"""The API: what the command line does, over HTTP, for people who are signed in; no analysis of its own."""
