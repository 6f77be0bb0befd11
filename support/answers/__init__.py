"""Answers: what the shop has written down so that it need not be said anew: articles for customers, macros for agents."""
