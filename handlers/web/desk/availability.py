"""Here or away: the agent's own switch, the heartbeat of an open desk, and which team a ticket is with."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers import routing_words
from handlers.web import site
from handlers.web.bodies import body_of
from handlers.web.desk.frame import Part, desk, ticket_of
from handlers.words import Words
from store.staff import Member
from support import queue, tickets
from support.queue import Line
from support.routing import agents, presence, router, teams
from support.thread import Happened


def setup_availability(app: web.Application) -> None:
    app.router.add_get("/desk/availability", desk(own))
    app.router.add_post("/desk/availability", desk(switch))
    app.router.add_get("/desk/tickets/{ticket:\\d{1,15}}/teams", desk(listed))
    app.router.add_post("/desk/tickets/{ticket:\\d{1,15}}/team", desk(hand))


async def own(request: web.Request) -> web.Response:
    """How it stands with oneself; {on: false} where no desk of one's own has a team."""
    return web.json_response(await site.store_of(request).read(_own, site.member_of(request), site.words_of(request)))


def _own(session: Session, member: Member, said: Words) -> dict[str, Any]:
    if not any(teams.on(session, shop_id) for shop_id in queue.desks_of(session, member)):
        return {"on": False}
    status = presence.status(session, member.id)
    load, cap = agents.loads(session, [member.id])[member.id], agents.of(session, [member.id])[member.id].cap
    return {
        "on": True, "status": status.value, "words": routing_words.status(said, status),
        "load": said("{n} of {most} open", n=said.number(load), most=said.number(cap)),
    }  # fmt: skip


async def switch(request: web.Request) -> web.Response:
    """{away: true or false}"""
    try:
        away = (await body_of(request))["away"]
    except (ValueError, TypeError, KeyError):
        raise web.HTTPBadRequest from None
    member, said = site.member_of(request), site.words_of(request)

    def write(session: Session) -> dict[str, Any]:
        (presence.go if away is True else presence.come)(session, member)
        return _own(session, member, said)

    return web.json_response(await site.store_of(request).write(write))


async def listed(request: web.Request) -> web.Response:
    """The teams that a ticket may be handed to."""

    def look(session: Session) -> list[dict[str, Any]]:
        ticket = tickets.view(session, ticket_of(request), site.member_of(request))
        return [{"id": team.id, "name": team.name} for team in teams.of(session, ticket.shop_id)]

    return web.json_response({"teams": await site.store_of(request).read(look)})


async def hand(request: web.Request) -> web.Response:
    """{team: number}"""
    try:
        team = (await body_of(request))["team"]
    except (ValueError, TypeError, KeyError):
        raise web.HTTPBadRequest from None
    if not isinstance(team, int) or not 0 <= team < 2**53:
        raise web.HTTPBadRequest
    await site.store_of(request).write(router.hand, ticket_of(request), site.member_of(request), team)
    return web.json_response({"ok": True})


def _facts(session: Session, _member: Member, lines: Sequence[Line]) -> dict[int, dict[str, Any]]:
    """The team of tickets that wait for somebody of it."""
    waiting = {one.ticket.id: one.ticket.team_id for one in lines if one.ticket.team_id and not one.ticket.assignee_id}
    if not waiting:
        return {}
    t = teams.team_table.c
    names = {row.id: row.name for row in session.execute(select(t.id, t.name).where(t.id.in_(set(waiting.values()))))}
    return {ticket_id: {"team": names[team_id]} for ticket_id, team_id in waiting.items() if team_id in names}


def _happened(said: Words, event: Happened) -> str | None:
    if event.kind == router.ROUTED:
        return routing_words.routed(said, event.data)
    if event.kind == router.TEAMED:
        return said("{name} handed this to {other}", name=event.staff or "", other=event.data["team"])
    return None


def _words(said: Words) -> dict[str, str]:
    return {
        "why": said("Why?"), "be_away": said("Step away"), "be_here": said("I'm back"),
        "away_done": said("You get no new requests. What waits for an answer goes to a colleague."),
        "here_done": said("Welcome back. New requests come to you again."),
        "away_title": said("New requests come to you. Tap when you step away."),
        "here_title": said("No new requests come to you. Tap when you're back."),
        "hand_team": said("Hand to a team"), "handed_team": said("#{n} is with {name} now."),
    }  # fmt: skip


PART = Part(
    setup=setup_availability, words=_words, facts=_facts, happened=_happened, alive=presence.alive,
    style="/static/desk/availability.css",
)  # fmt: skip
