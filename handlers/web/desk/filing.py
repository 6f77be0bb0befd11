"""How a ticket is filed: its topic, priority and language, tags, the shop's own fields, when it comes back, and the tickets it
belongs together with.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.desk import shown
from handlers.web.desk.frame import Part, desk, number, ticket_of
from handlers.words import Words
from store import shops
from store.errors import InvalidError, RuleError
from store.staff import Member, Right
from support import fields, handling, linking, tags, thread, tickets, topics
from support.thread import Happened, Message
from support.tickets import Priority, Ticket, TicketStateError

TICKET = "/desk/tickets/{ticket:\\d{1,15}}"
MORNING, AFTERNOON = 8, 14
"""Hours at which a ticket that was put aside comes back."""
SPLIT_FROM = 200
"""The last lines that may be chosen to go on elsewhere."""


def setup_filing(app: web.Application) -> None:
    get, post = app.router.add_get, app.router.add_post
    get(TICKET + "/filed", desk(filed))
    post(TICKET + "/filed/{what:topic|priority|language|tag|untag|field|link|unlink}", desk(file))
    get(TICKET + "/snooze", desk(snooze_sheet))
    post(TICKET + "/snoozed", desk(snooze))
    get(TICKET + "/merge", desk(merge_sheet))
    post(TICKET + "/merged", desk(merge))
    get(TICKET + "/split", desk(split_sheet))
    post(TICKET + "/parted", desk(split))


# ── The panel ──────────────────────────────────────────────────────────────────────────────────────


async def filed(request: web.Request) -> web.Response:
    """The panel, as a piece of the page."""
    member, ticket_id, said = site.member_of(request), ticket_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        ticket = tickets.view(session, ticket_id, member)
        own = topics.own(session, ticket.shop_id)
        return {
            "ticket": ticket, "topics": shown.topics(said, [one for one in own if one.offered or one.key == ticket.topic]),
            "states": shown.states(said), "priorities": priorities(said), "tags": tags.of(session, [ticket.id]).get(ticket.id, []),
            "known_tags": tags.every(session, [ticket.shop_id]), "fields": fields.of(session, ticket.id, ticket.shop_id),
            "linked": linking.linked(session, ticket.id, member), "kinds": link_kinds(said),
        }  # fmt: skip

    return await _part(request, "desk/filing.html", await site.store_of(request).read(look))


async def file(request: web.Request) -> web.Response:
    """One change from the panel: a form of its own each."""
    asked, member, ticket_id = await request.post(), site.member_of(request), ticket_of(request)
    value = str(asked.get("value", ""))
    write: dict[str, Callable[[Session], None]] = {
        "topic": lambda session: handling.retopic(session, ticket_id, member, value),
        "priority": lambda session: handling.prioritise(session, ticket_id, member, value),
        "language": lambda session: handling.speak(session, ticket_id, member, value),
        "tag": lambda session: tags.put(session, ticket_id, member, value),
        "untag": lambda session: tags.take_off(session, ticket_id, member, value),
        "field": lambda session: fields.fill(session, ticket_id, member, _number(asked.get("field"), "field"), value),
        "link": lambda session: linking.link(session, ticket_id, member, _number(value, "ticket")),
        "unlink": lambda session: linking.unlink(session, ticket_id, member, _number(value, "ticket")),
    }
    await site.store_of(request).write(write[request.match_info["what"]])
    return web.json_response({})


# ── Put aside ──────────────────────────────────────────────────────────────────────────────────────


async def snooze_sheet(request: web.Request) -> web.Response:
    store, member = site.store_of(request), site.member_of(request)
    ticket, zone = await store.read(_with_zone, ticket_of(request), member)
    choices = when_back(site.words_of(request), store.clock.now(), zone)
    earliest = store.clock.now().astimezone(ZoneInfo(zone)) + timedelta(minutes=1)
    context = {"ticket": ticket, "choices": choices, "zone": zone, "earliest": f"{earliest:%Y-%m-%dT%H:%M}"}
    return await _part(request, "desk/snooze.html", context)


async def snooze(request: web.Request) -> web.Response:
    """`until` is a moment with its offset (a button), or `at` one on the shop's clock (typed)."""
    asked, store, member, said = (
        await request.post(),
        site.store_of(request),
        site.member_of(request),
        site.words_of(request),
    )
    ticket, zone = await store.read(_with_zone, ticket_of(request), member)
    until = _moment(str(asked.get("until") or asked.get("at") or ""), zone)
    await store.write(handling.snooze, ticket.id, member, until)
    return web.json_response({"toast": said("#{n} comes back at {time}", n=ticket.id, time=said.moment(until, zone))})


def when_back(said: Words, at: datetime, zone: str) -> list[tuple[str, datetime]]:
    """Moments to come back at, as one says them, soonest first; those of today only while they are ahead."""
    here = at.astimezone(ZoneInfo(zone))

    def hour(days: int, hour: int) -> datetime:
        return (here + timedelta(days=days)).replace(hour=hour, minute=0, second=0, microsecond=0)

    monday = 7 - here.weekday()
    found = [
        (said("In an hour"), (here + timedelta(hours=1)).replace(second=0, microsecond=0)),
        (said("In three hours"), (here + timedelta(hours=3)).replace(second=0, microsecond=0)),
        (said("This afternoon"), hour(0, AFTERNOON)), (said("Tomorrow morning"), hour(1, MORNING)),
        (said("Tomorrow afternoon"), hour(1, AFTERNOON)), (said("On Monday"), hour(monday, MORNING)),
        (said("In a week"), hour(7, MORNING)),
    ]  # fmt: skip
    ahead = [(words, moment) for words, moment in found if moment > here + timedelta(minutes=30)]
    first = {moment: words for words, moment in reversed(ahead)}
    return sorted(((words, moment.astimezone(UTC)) for moment, words in first.items()), key=lambda pair: pair[1])


# ── One, or two ────────────────────────────────────────────────────────────────────────────────────


async def merge_sheet(request: web.Request) -> web.Response:
    member, ticket_id, said = site.member_of(request), ticket_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        ticket = tickets.view(session, ticket_id, member)
        others = [
            one for one in tickets.tickets_of(session, ticket.customer_id)
            if one.id != ticket.id and one.merged_into is None and member.may(Right.DESK, one.shop_id)
        ]  # fmt: skip
        shop = shops.get(session, ticket.shop_id)
        own = [one for each in topics.of_shops(session, [other.shop_id for other in others]).values() for one in each]
        return {
            "ticket": ticket, "others": others, "zone": shop.timezone, "topics": shown.topics(said, own), "states": shown.states(said),
        }  # fmt: skip

    return await _part(request, "desk/merge.html", await site.store_of(request).read(look))


async def merge(request: web.Request) -> web.Response:
    asked, said, ticket_id = await request.post(), site.words_of(request), ticket_of(request)
    into = _number(asked.get("into"), "into")
    await site.store_of(request).write(linking.merge, ticket_id, site.member_of(request), into)
    return web.json_response({"toast": said("#{n} is a part of #{other} now", n=ticket_id, other=into), "open": into})


async def split_sheet(request: web.Request) -> web.Response:
    member, ticket_id, said = site.member_of(request), ticket_of(request), site.words_of(request)

    def look(session: Session) -> dict[str, Any]:
        ticket = tickets.view(session, ticket_id, member)
        lines = thread.page(session, ticket_id, member, limit=SPLIT_FROM)
        return {
            "ticket": ticket, "messages": [one for one in lines if isinstance(one, Message)],
            "zone": shops.get(session, ticket.shop_id).timezone,
            "topics": shown.topics(said, [one for one in topics.own(session, ticket.shop_id) if one.offered]),
        }  # fmt: skip

    return await _part(request, "desk/split.html", await site.store_of(request).read(look))


async def split(request: web.Request) -> web.Response:
    asked, said, ticket_id = await request.post(), site.words_of(request), ticket_of(request)
    chosen = [_number(one, "messages") for one in asked.getall("messages", [])]
    new = await site.store_of(request).write(
        linking.split, ticket_id, site.member_of(request), chosen, str(asked.get("topic", "")) or None
    )
    return web.json_response({"toast": said("#{n} goes on with what you chose", n=new), "open": new})


# ── Words ──────────────────────────────────────────────────────────────────────────────────────────


def priorities(said: Words) -> dict[str, str]:
    return {
        Priority.LOW: said("Low"), Priority.NORMAL: said("Normal"), Priority.HIGH: said("High"), Priority.URGENT: said("Urgent"),
    }  # fmt: skip


def link_kinds(said: Words) -> dict[tuple[str, bool], str]:
    """What the other ticket is to the open one, by kind and `back`."""
    return {
        ("follows", False): said("Goes on from"), ("follows", True): said("Went on in"),
        ("split", False): said("Was a part of"), ("split", True): said("A part went on in"),
        ("merged", False): said("Is now a part of"), ("merged", True): said("Took in"),
        ("related", False): said("Belongs together with"), ("related", True): said("Belongs together with"),
    }  # fmt: skip


def _happened(said: Words, event: Happened) -> str | None:
    who, data = event.staff or "", event.data
    match event.kind:
        case "snoozed":
            return said("{name} put this aside", name=who)
        case "woke":
            return said("This came back, as was set")
        case "topic":
            return said("{name} changed what this is about", name=who)
        case "language":
            return said("{name} changed the language of the answers", name=who)
        case "tagged":
            return said("{name} tagged this #{tag}", name=who, tag=data["tag"])
        case "untagged":
            return said("{name} took #{tag} off", name=who, tag=data["tag"])
        case "field" if data["value"] is None:
            return said("{name} emptied “{field}”", name=who, field=data["name"])
        case "field":
            return said("{name} noted {field}: {value}", name=who, field=data["name"], value=data["value"])
        case "linked":
            return said("{name} linked this with #{n}", name=who, n=data["ticket"])
        case "unlinked":
            return said("{name} took the link with #{n} away", name=who, n=data["ticket"])
        case "merged":
            return said("{name} brought #{n} in; its messages stand below", name=who, n=data["ticket"])
        case "merged_into":
            return said("{name} made this a part of #{n}", name=who, n=data["ticket"])
        case "split":
            return said("{name} had a part go on in #{n}", name=who, n=data["ticket"])
        case "split_from":
            return said("{name} took this out of #{n}", name=who, n=data["ticket"])
        case "priority":
            return said(
                "{name} set the priority: {words}",
                name=who or said("The shop's rules"),
                words=priorities(said)[data["priority"]],
            )
        case "deleted":
            return said("{name} took a message away from the customer", name=who)
        case "not_changed":
            return said("The messenger refused the change: {reason}", reason=shown.reason(said, data.get("reason")))
    return None


def _refusal(said: Words, error: RuleError) -> str | None:
    if isinstance(error, linking.StrangersError):
        return said("These are two customers' requests. Link them, or merge the customers first.")
    if isinstance(error, TicketStateError) and error.state == "merged":
        return said("This has become a part of another request.")
    if isinstance(error, InvalidError):
        return {
            ("until", "range"): said("Choose a time that lies ahead, at most a year."),
            ("tag", "length"): said("A tag has up to 40 letters."), ("tag", "count"): said("20 tags on a request are enough."),
            ("value", "length"): said("That is too long."), ("value", "number"): said("Please write a number."),
            ("value", "date"): said("Please write a date, such as 22/11/2026."), ("value", "choice"): said("Please choose one of the list."),
            ("ticket", "unknown"): said("There is no such request at your desks."), ("ticket", "same"): said("That is this request itself."),
            ("into", "unknown"): said("There is no such request at your desks."),
            ("messages", "unknown"): said("Choose what should go on in the new request."),
            ("messages", "all"): said("At least one message stays here."),
        }.get((error.field, error.problem))  # fmt: skip
    return None


def _words(said: Words) -> dict[str, str]:
    return {
        "filed": said("About this request"), "snooze": said("Put aside until …"), "merge": said("Make it a part of another"),
        "split": said("Have a part go on by itself"), "state_snoozed": said("Snoozed"), "back_at": said("back {time}"),
        "hurry_high": said("High"), "hurry_low": said("Low"),
    }  # fmt: skip


PART = Part(setup=setup_filing, words=_words, happened=_happened, refusal=_refusal)


# ── Inside ─────────────────────────────────────────────────────────────────────────────────────────


def _with_zone(session: Session, ticket_id: int, member: Member) -> tuple[Ticket, str]:
    ticket = tickets.view(session, ticket_id, member)
    return ticket, shops.get(session, ticket.shop_id).timezone


def _number(value: object, field: str) -> int:
    """A ticket's number as one writes it (#1042), or another row's; raises InvalidError."""
    found = number(str(value or "").strip().lstrip("#"))
    if found is None:
        raise InvalidError(field, "unknown", str(value))
    return found


def _moment(written: str, zone: str) -> datetime:
    try:
        at = datetime.fromisoformat(written)
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidError("until", "range", written) from None


async def _part(request: web.Request, template: str, context: dict[str, Any]) -> web.Response:
    return web.Response(text=await site.render_part(request, template, context), content_type="text/html")
