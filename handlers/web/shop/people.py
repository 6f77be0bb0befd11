"""Customers and orders: found, looked at closely, and points given or taken by hand with a reason."""

import secrets
from enum import StrEnum
from typing import Any, TypeVar

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import fields, frame
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty import directory, ledger, order_book, phones, points, programme, statement, tiers, vouchers
from loyalty.directory import Only, Sort
from loyalty.orders import Status
from store import audit
from store.clock import now
from store.errors import ConflictError, InvalidError, RuleError
from store.shops import Shop

SEARCH_CHARS_MAX = 100
STATEMENT_LINES = 12
ORDERS = 8
KEY_CHARS_MAX = 64
Choice = TypeVar("Choice", bound=StrEnum)


# ── The list ───────────────────────────────────────────────────────────────────────────────────────


async def page(request: web.Request) -> web.StreamResponse:
    """All customers of the shop; a script that searches gets the table alone."""
    context = {**await _list(request), "person": None}
    if frame.by_script(request):
        return await frame.part(request, "shop/people_list.html", context)
    return await frame.render(request, "shop/people.html", context, page="customers")


async def _list(request: web.Request) -> dict[str, Any]:
    asked, here = request.query, frame.frame_of(request)
    search = asked.get("q", "")[:SEARCH_CHARS_MAX]
    sort = _choice(Sort, asked.get("sort")) or Sort.LAST
    descending = asked.get("dir", "asc" if sort is Sort.NAME else "desc") == "desc"
    only = _choice(Only, asked.get("only"))

    def look(session: Session) -> tuple[directory.Page, dict[int, tuple[str, int]]]:
        found = directory.page(
            session, here.shop.id, search=search, sort=sort, descending=descending, only=only,
            number=_page(request),
        )  # fmt: skip
        return found, _ranks(session)

    found, ranks = await site.store_of(request).read(look)
    return {
        "found": found, "ranks": ranks, "q": search, "sort": sort.value, "descending": descending,
        "only": only.value if only else "", "local": phones.local, "days": directory,
    }  # fmt: skip


def _choice(kind: type[Choice], value: str | None) -> Choice | None:
    try:
        return kind(value or "")
    except ValueError:
        return None


def _page(request: web.Request) -> int:
    text = request.query.get("page", "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _ranks(session: Session) -> dict[int, tuple[str, int]]:
    """Each tier's name and place, by its number."""
    return {tier.id: (tier.name, rank) for rank, tier in enumerate(tiers.every(session))}


# ── One of them ────────────────────────────────────────────────────────────────────────────────────


async def person(request: web.Request) -> web.StreamResponse:
    """A customer: beside the list for a script, with the whole page without one."""
    return await _shown(request, {}, {})


async def _shown(request: web.Request, form: dict[str, str], errors: dict[str, str], status: int = 200) -> web.Response:
    here = frame.frame_of(request)
    look = await site.store_of(request).read(_person, here.shop, frame.named(request))
    look |= {"form": {"key": secrets.token_urlsafe(18), **form}, "errors": errors, "local": phones.local,
             "entry": _entry, "shown_code": vouchers.shown}  # fmt: skip
    if frame.by_script(request):
        return await frame.part(request, "shop/person.html", look, status=status)
    context = await _list(request)
    return await frame.render(request, "shop/people.html", context | look, page="customers", status=status)


def _person(session: Session, shop: Shop, customer_id: int) -> dict[str, Any]:
    found = directory.find(session, shop.id, customer_id)
    wallet = points.wallet(session, found.id, shop.timezone)
    ladder = tiers.every(session)
    standing = tiers.standing(ladder, wallet.tier_points)
    lines, _ = statement.entries(session, found.id, STATEMENT_LINES)
    where = {
        row.id: row.shop_id
        for row in session.execute(
            select(ledger.transfers.c.id, ledger.transfers.c.shop_id).where(
                ledger.transfers.c.id.in_([line.id for line in lines])
            )
        )
    }
    span = standing.tier_points - standing.tier.threshold + standing.to_next
    return {
        "person": found, "wallet": wallet, "standing": standing, "rank": ladder.index(standing.tier),
        "progress": round(100 * (standing.tier_points - standing.tier.threshold) / span) if standing.next else 100,
        "vouchers": vouchers.wallet(session, found.id, shop_id=shop.id),
        "orders": order_book.of_customer(session, shop.id, found.id, ORDERS),
        "bought": directory.bought_by(session, shop.id, found.id),
        # What somebody did at another shop is seen as a change of points, not as that shop's order or reason.
        "lines": [(line, where.get(line.id) == shop.id) for line in lines],
    }  # fmt: skip


def _entry(said: Words, line: statement.Entry) -> str:
    """What a line of the statement was, in words."""
    return {
        "earn": said("Earned"), "refund": said("Taken back after a refund"), "buy": said("Spent on a reward"),
        "pay": said("Paid with points"), "pay_back": said("Taken back at the till"), "expire": said("Expired"), "release": said("Now available"),
        "adjust": said("Changed by hand"), "merge": said("Two accounts became one"), "referral": said("Friend brought along"),
        "opening": said("Opening balance"),
    }.get(line.kind, said("Other change"))  # fmt: skip


async def adjust(request: web.Request) -> web.StreamResponse:
    """Give or take points by hand. The form's key makes a second tap change nothing."""
    said, here, form = site.words_of(request), frame.frame_of(request), await fields.read(request)
    try:
        given = fields.needed(form, "points")
        await site.store_of(request).write(
            _adjust, here, frame.named(request), given, form.get("reason", ""), _key(form)
        )
    except (InvalidError, ledger.UncoveredError) as error:
        errors = {"points" if isinstance(error, ledger.UncoveredError) else error.field: _refusal(said, error)}
        return await _shown(request, form, errors, status=422)
    except ConflictError:
        # The same form came with other numbers: a new form, and nothing done twice.
        kept = {name: form.get(name, "") for name in ("points", "reason")}
        return await _shown(request, kept, {"points": said("Please check once more and send it again.")}, status=422)
    words = said("{points} points, done.", points=said.signed(given))
    if frame.by_script(request):
        return frame.told(await _shown(request, {}, {}), words)
    return await frame.done(request, f"/shop/customers/{frame.named(request)}", words)


def _key(form: dict[str, str]) -> str:
    """What tells this form from others; one that comes without gets its own."""
    return f"console:{form.get('key', '')[:KEY_CHARS_MAX] or secrets.token_urlsafe(18)}"


def _adjust(session: Session, here: Frame, customer_id: int, given: int, reason: str, key: str) -> None:
    owner = directory.find(session, here.shop.id, customer_id).id
    available = ledger.account(session, "customer", owner, "available")
    # Two taps at one instant: the second waits here and then finds what the first one posted.
    ledger.lock(session, [available, ledger.account(session, "shop", here.shop.id, "wallet")])
    months = programme.get(session).expiry_months
    posted = points.adjust(
        session, key, customer_id=owner, shop_id=here.shop.id, points=given, reason=reason,
        expires_at=programme.expires_at(now(session), months, here.shop.timezone), actor=here.actor,
    )  # fmt: skip
    if posted.new:
        audit.record(session, here.actor, "points_adjusted", here.shop.id, customer=owner, points=given, reason=reason)


def _refusal(said: Words, error: RuleError) -> str:
    if isinstance(error, ledger.UncoveredError):
        return said("They only have {n} points.", n=said.number(max(0, error.available)))
    assert isinstance(error, InvalidError)
    return {
        ("points", "empty"): said("How many points?"),
        ("points", "number"): said("Write a whole number, for example 50 or -20."),
        ("points", "range"): said("Write a number other than 0, up to a billion."),
        ("reason", "length"): said("Write the reason in a few words: the customer may ask about it."),
    }.get((error.field, error.problem)) or site.say(said, error)


# ── Orders ─────────────────────────────────────────────────────────────────────────────────────────


async def orders(request: web.Request) -> web.StreamResponse:
    """The shop's orders, latest first."""
    here, asked = frame.frame_of(request), request.query
    search, status = asked.get("q", "")[:SEARCH_CHARS_MAX], _choice(Status, asked.get("status"))

    def look(session: Session) -> order_book.Page:
        return order_book.page(session, here.shop.id, search=search, status=status, number=_page(request))

    context = {
        "found": await site.store_of(request).read(look), "q": search, "status": status.value if status else "",
    }  # fmt: skip
    if frame.by_script(request):
        return await frame.part(request, "shop/order_list.html", context)
    return await frame.render(request, "shop/orders.html", context, page="orders")
