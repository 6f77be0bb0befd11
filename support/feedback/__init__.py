"""Feedback: what customers think of the help and of the shop: ratings asked for once more, NPS, effort, compliments."""
