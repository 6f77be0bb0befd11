"""Support: the tickets, and round them what listens to them. Who does what when, in order, stands here and nowhere else."""

from support import hooks

hooks.OPENED += []
hooks.CUSTOMER_SAID += []
hooks.AGENT_SAID += []
hooks.STATE_CHANGED += []
hooks.PRIORITY_CHANGED += []
hooks.MERGED += []
