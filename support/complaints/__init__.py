"""Complaints: how grave each is, what would make it good, who sees to it, and that it ends on the customer's word."""
