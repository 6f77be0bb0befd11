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
from handlers.web.shop import frame
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
        Line(row.at, names[row.actor], _actions(said).get(row.action, row.action), *_told(said, row.data))
        for row in found.rows
    ]
    return lines, found.before, found.after


def _names(session: Session, actors: set[str], said: Words) -> dict[str, str]:
    """Who they are, by what the audit calls them."""
    numbers: dict[str, list[int]] = {"staff": [], "key": []}
    for actor in actors:
        kind, _, number = actor.partition(":")
        if kind in numbers and number.isdigit():
            numbers[kind].append(int(number))
    people = session.execute(select(_staff.c.id, _staff.c.name).where(_staff.c.id.in_(numbers["staff"]))).all()
    keys = session.execute(select(_keys.c.id, _keys.c.name, _keys.c.hint).where(_keys.c.id.in_(numbers["key"]))).all()
    known = {f"staff:{row.id}": row.name for row in people}
    known |= {f"key:{row.id}": said("API key {name}", name=row.name or row.hint) for row in keys}
    known["cli"] = said("Command line")
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
                changes.append((field, _plain(said, before), _plain(said, after)))
        else:
            facts.append((name, _plain(said, value)))
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


def _actions(said: Words) -> dict[str, str]:
    """What was done, in words; one without words here is shown by its name."""
    return {
        "shop_changed": said("changed the shop's settings"), "programme_changed": said("changed the programme"),
        "offer_added": said("made an offer"), "offer_changed": said("changed an offer"), "offer_hide": said("hid an offer"),
        "offer_show": said("showed an offer"), "offer_end": said("ended an offer"), "offer_reopen": said("reopened an offer"),
        "offer_link": said("made a link to an offer"), "voucher_given": said("gave a voucher"),
        "staff_added": said("took somebody on"), "staff_removed": said("removed somebody"),
        "staff_link": said("made new links for a colleague"), "api_key_added": said("made an API key"),
        "api_key_revoked": said("revoked an API key"), "points_adjusted": said("changed points by hand"),
        "sale_undone": said("took back an entry at the till"), "customer.erase": said("erased a customer"),
        "import.orders": said("imported orders"), "import.customers": said("imported customers"),
        "import_started": said("started an import"), "import_stop": said("stopped an import"),
        "import_discard": said("threw a file away"), "webhook_added": said("added a webhook"),
        "webhook_changed": said("changed a webhook"), "webhook_removed": said("removed a webhook"),
        "plan_changed": said("changed how points are earned"), "tier_rules_changed": said("changed the tiers' rules"),
        "tier_changed": said("changed a tier"), "referral_terms_changed": said("changed the invitations' terms"),
        "code_added": said("added a code for everybody"), "code_stopped": said("stopped a code"),
        "webhook_secret": said("made a new secret for a webhook"), "token_changed": said("connected a bot"),
        "forum_bound": said("chose the team's group"), "shop.add": said("opened a shop"), "staff.add": said("took somebody on"),
        "staff.remove": said("removed somebody"), "apikey.create": said("made an API key"), "restore": said("restored a backup"),
        "shift_closed": said("closed a shift"), "points_adjustment_asked": said("asked for a change of points"),
        "points_adjustment_approved": said("approved a change of points"),
        "points_adjustment_refused": said("refused a change of points"), "wallet_topped_up": said("topped the wallet up"),
    }  # fmt: skip
