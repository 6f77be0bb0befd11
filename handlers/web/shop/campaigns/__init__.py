"""Campaigns in the console: written left with their effect beside them, let go, watched, and what they came to."""
