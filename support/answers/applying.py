"""Applying: a macro on a ticket, looked at first (the text with its places filled, what will be done), then done as a whole."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rapidfuzz.distance import OSA
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.customers.addressing import Address, given_name, vocative
from loyalty.points import points
from store import shops, staff
from store.clock import now
from store.errors import InvalidError, NotFoundError
from store.staff import Member
from store.text import fold
from support import handling, messages, tags, tickets
from support.answers import macros
from support.answers.macros import ME, PLACE, Action, Do, Macro
from support.deadlines import moments
from support.tickets import Ticket


@dataclass(frozen=True, slots=True)
class Preview:
    """What applying a macro now would say and do; `shown` beside an action is what its value means (a colleague's name,
    the time in UTC).
    """

    macro: Macro
    text: str
    actions: tuple[tuple[Action, Any], ...]


def named(session: Session, ticket_id: int, member: Member, name: str) -> Macro | None:
    """The macro that somebody means by a name they type: all of it, its beginning, or with a slip. Raises as
    tickets.view.
    """
    wanted = " ".join(fold(name).split())
    every = [
        (fold(one.name), one)
        for one in macros.visible(session, tickets.view(session, ticket_id, member).shop_id, member)
    ]
    if not wanted:
        return None
    begin = [one for called, one in every if called.startswith(wanted)]
    exact = [one for called, one in every if called == wanted]
    if exact or len(begin) == 1:
        return (exact or begin)[0]
    near = [one for called, one in every if len(wanted) > 4 and OSA.distance(called, wanted, score_cutoff=2) <= 2]
    return near[0] if len(near) == 1 and not begin else None


def preview(session: Session, macro_id: int, ticket_id: int, member: Member) -> Preview:
    """What a macro would say and do on a ticket. Raises as tickets.view, NotFoundError (macro)."""
    ticket = tickets.view(session, ticket_id, member)
    macro = _usable(session, macro_id, ticket, member)
    actions = tuple((action, _meaning(session, ticket, member, action)) for action in macro.actions)
    return Preview(macro, _filled(session, macro, ticket, member), actions)


def apply(
    session: Session, macro_id: int, ticket_id: int, member: Member, *, key: str, text: str | None = None
) -> int | None:
    """Say what a macro says (or the `text` that the agent made of it; "" says nothing) and do what it does, all or nothing;
    the message's number, if there is one. The same `key` again changes nothing. Raises as `preview`, and as the rules of
    support.handling, support.tags and messages.agent_says do.
    """
    ticket = tickets.hold(session, ticket_id, member)
    macro = _usable(session, macro_id, ticket, member)
    said = (_filled(session, macro, ticket, member) if text is None else text).strip()
    # A text that was sent keeps its key, so the message of a second try is found by it.
    message_id = messages.agent_says(session, ticket_id, member, said, key=key) if said else None
    try:
        with session.begin_nested():
            session.execute(
                insert(macros.uses).values(
                    ticket_id=ticket_id, key=key, macro_id=macro_id, staff_id=member.id, at=now(session)
                )
            )
    except IntegrityError:
        return message_id
    tickets.log(session, tickets.hold(session, ticket_id), "macro", member.id, macro=macro_id, name=macro.name)
    for action in macro.actions:
        _DOES[action.do](session, ticket, member, action.value)
    return message_id


def _usable(session: Session, macro_id: int, ticket: Ticket, member: Member) -> Macro:
    for one in macros.visible(session, ticket.shop_id, member):
        if one.id == macro_id:
            return one
    raise NotFoundError("macro", macro_id)


def _filled(session: Session, macro: Macro, ticket: Ticket, member: Member) -> str:
    person, shop = customers.get(session, ticket.customer_id), shops.get(session, ticket.shop_id)
    language = ticket.language or person.language
    text = macro.told(language)
    if not text:
        return ""
    name = given_name(person.name, language)
    address = Address(person.address) if person.address else Address.BAN
    sign = "." if language == "vi" else ","
    places = {
        "name": vocative(address, name) if language == "vi" else name or "there",
        "points": f"{points.balances(session, person.id)[0]:,}".replace(",", sign),
        "ticket": f"#{ticket.id}", "agent": member.name, "shop": shop.name,
    }  # fmt: skip
    return PLACE.sub(lambda place: places[place[1]], text)


def _meaning(session: Session, ticket: Ticket, member: Member, action: Action) -> Any:
    """What an action's value means on this ticket, for people to read."""
    if action.do is Do.ASSIGN:
        try:
            return member.name if action.value == ME else staff.get(session, int(action.value)).name
        except NotFoundError:
            return None
    return _until(session, ticket, action.value) if action.do is Do.SNOOZE else action.value


def _until(session: Session, ticket: Ticket, words: str) -> datetime | None:
    return moments.parse(words, now(session), shops.get(session, ticket.shop_id).timezone)


def _assign(session: Session, ticket: Ticket, member: Member, value: str) -> None:
    handling.assign(session, ticket.id, member, member.id if value == ME else int(value))


def _snooze(session: Session, ticket: Ticket, member: Member, value: str) -> None:
    until = _until(session, ticket, value)
    if until is None:
        raise InvalidError("snooze", "shape", value)
    handling.snooze(session, ticket.id, member, until)


_DOES: dict[Do, Callable[[Session, Ticket, Member, str], None]] = {
    Do.TAG: lambda session, ticket, member, value: tags.put(session, ticket.id, member, value),
    Do.TOPIC: lambda session, ticket, member, value: handling.retopic(session, ticket.id, member, value),
    Do.PRIORITY: lambda session, ticket, member, value: handling.prioritise(session, ticket.id, member, value),
    Do.ASSIGN: _assign,
    Do.SNOOZE: _snooze,
    Do.RESOLVE: lambda session, ticket, member, _: handling.resolve(session, ticket.id, member),
}
