"""Here or away, said in the team's forum: the router gives work to who is there."""

from handlers.chat.forum_buttons import Answer, Desk
from support.routing import presence, teams


async def here(desk: Desk, _rest: str) -> Answer:
    """Be given requests, for some hours or until /away."""
    if not await desk.work.read(teams.anywhere):
        return desk.said("There is no team yet, so nothing is given out: whoever wants to takes a request."), None
    await desk.work.write(presence.come, desk.member, presence.SAID_LASTS)
    hours = presence.SAID_LASTS.seconds // 3600
    return desk.said(
        "New requests come to you for {n} hours, or until you type /away.", n=desk.said.number(hours)
    ), None


async def away(desk: Desk, _rest: str) -> Answer:
    """Be given nothing new; what waits for an answer goes to a colleague."""
    if not await desk.work.read(teams.anywhere):
        return desk.said("There is no team yet, so nothing is given out: whoever wants to takes a request."), None
    await desk.work.write(presence.go, desk.member)
    return desk.said("You get no new requests. What waits for an answer goes to a colleague."), None
