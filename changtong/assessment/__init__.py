"""Scorecards: who is assessed by what, exact scores with the evidence behind each number."""
