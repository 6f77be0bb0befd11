"""Outreach: the right word to the right people, by the law. Segments say who, campaigns and journeys what and when."""
