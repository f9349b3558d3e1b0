"""Where independent tasks run: this process, local processes, or a cluster."""
