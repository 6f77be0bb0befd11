"""Duties: what the shop owes whoever is behind the data: a copy, forgetting, an end to keeping, and a note of who looked."""
