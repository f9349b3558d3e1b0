"""Who may do what where: roles, actions, kinds of records and scopes, and the one place that decides."""
