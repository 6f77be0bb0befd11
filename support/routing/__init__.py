"""Routing: which team and which colleague a ticket goes to, and why. Off until a shop has a team."""
