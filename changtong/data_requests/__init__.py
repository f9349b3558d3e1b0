"""Requests of persons about their own data: rules, the way of a request, and their register."""
