"""Support: the tickets, and round them what listens to them. Who does what when, in order, stands here and nowhere else."""

from support import facts, hooks
from support.care import incidents
from support.complaints import hearing, loop
from support.deadlines import clocks, promises
from support.duties import erasures
from support.feedback import asking, compliments
from support.routing import closed, handed, presence, router

hooks.OPENED += [clocks.opened, router.opened, facts.opened]
hooks.CUSTOMER_SAID += [
    hearing.said,
    compliments.said,
    clocks.customer_said,
    router.customer_said,
    closed.customer_said,
    incidents.customer_said,
]
hooks.AGENT_SAID += [clocks.agent_said, presence.agent_said, handed.agent_said]
hooks.ASSIGNED += [router.assigned, handed.assigned]
hooks.STATE_CHANGED += [
    clocks.state_changed,
    loop.entered,
    asking.entered,
    router.state_changed,
    facts.state_changed,
    erasures.state_changed,
]
hooks.PRIORITY_CHANGED += [clocks.priority_changed]
hooks.MERGED += [clocks.merged, promises.merged, hearing.merged, facts.merged, incidents.merged]
hooks.COMPLAINT_CHANGED += [facts.complaint_changed]
