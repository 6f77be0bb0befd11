"""Who did what: the audit, for the owner to read. Nothing here changes anything."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import audit_words, frame
from handlers.web.shop.frame import Frame
from handlers.words import Words
from store.audit import AuditRow
from store.base import table
from store.paging import By, Place, cut
from store.staff import ApiKey, StaffRow

PAGE = 40
CHARS_MAX = 300
_audit, _staff, _keys = table(AuditRow), table(StaffRow), table(ApiKey)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was done. `changes`: (what, before, after); `facts`: what else is known of it."""

    at: datetime
    who: str
    action: str
    changes: list[tuple[str, str, str]]
    facts: list[tuple[str, str]]


async def page(request: web.Request) -> web.StreamResponse:
    """The newest first, page by page."""
    here, said = frame.frame_of(request), site.words_of(request)
    place = Place(request.query.get("after", "")[:200], request.query.get("before", "")[:200])
    lines, before, after = await site.store_of(request).read(_look, here, said, place)
    context = {"lines": lines, "earlier": before, "later": after}
    return await frame.render(request, "shop/audits.html", context, page="setup")


def _look(session: Session, here: Frame, said: Words, place: Place) -> tuple[list[Line], str | None, str | None]:
    wanted = select(_audit.c.at, _audit.c.actor, _audit.c.action, _audit.c.data)
    own = _audit.c.shop_id == here.shop.id
    # What concerns no one shop is for who owns all of them.
    wanted = wanted.where(own | _audit.c.shop_id.is_(None)) if here.rules_all else wanted.where(own)
    found = cut(session, wanted, [By(_audit.c.id, descending=True)], PAGE, place)
    names = _names(session, {row.actor for row in found.rows}, said)
    lines = [
        Line(row.at, names[row.actor], audit_words.action(said, row.action), *_told(said, row.data))
        for row in found.rows
    ]
    return lines, found.before, found.after


def _names(session: Session, actors: set[str], said: Words) -> dict[str, str]:
    """Who they are, by what the audit calls them."""
    numbers: dict[str, list[int]] = {"staff": [], "key": []}
    for actor in actors:
        kind, _, number = actor.partition(":")
        if kind in numbers and number.isdecimal():
            numbers[kind].append(int(number))
    people = session.execute(select(_staff.c.id, _staff.c.name).where(_staff.c.id.in_(numbers["staff"]))).all()
    keys = session.execute(select(_keys.c.id, _keys.c.name, _keys.c.hint).where(_keys.c.id.in_(numbers["key"]))).all()
    known = {f"staff:{row.id}": row.name for row in people}
    known |= {f"key:{row.id}": said("API key {name}", name=row.name or row.hint) for row in keys}
    known |= {"cli": said("Command line"), "forum": said("The team's group")}
    return {actor: known.get(actor, actor) for actor in actors}


def _told(said: Words, data: Mapping[str, Any]) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    changes, facts = [], []
    was, became = data.get("before"), data.get("after")
    if isinstance(was, Mapping) and isinstance(became, Mapping):
        pairs = {name: [was.get(name), became.get(name)] for name in {**was, **became}}
        data = {name: value for name, value in data.items() if name not in {"before", "after"}}
        data["changed"] = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    for name, value in data.items():
        if name == "changed" and isinstance(value, Mapping):
            for field, pair in value.items():
                before, after = pair if isinstance(pair, list) and len(pair) == 2 else (None, pair)
                changes.append((audit_words.field(said, field), _plain(said, before), _plain(said, after)))
        else:
            facts.append((audit_words.field(said, name), _plain(said, value)))
    return changes, facts


def _plain(said: Words, value: Any) -> str:
    match value:
        case None | "" | [] | {}:
            return "–"
        case bool():
            return said("yes") if value else said("no")
        case int():
            return said.number(value)
        case str():
            return value[:CHARS_MAX]
    return json.dumps(value, ensure_ascii=False)[:CHARS_MAX]
