"""Today: what needs the owner, and who came back."""

from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import chart, frame
from handlers.web.shop.frame import Frame
from handlers.words import Words
from loyalty import directory
from loyalty.insights import today
from loyalty.insights.today import Today
from loyalty.voucher_programs import Program
from store import inbox
from store.staff import Right
from support import queue

CARDS_MAX = 5
PATIENCE = timedelta(hours=4)
"""A customer who waits longer for an answer is the owner's business."""


@dataclass(frozen=True, slots=True)
class Card:
    """One thing to look after: `tone` is the badge's (good, warn, bad, brand)."""

    icon: str
    tone: str
    title: str
    words: str
    action: str
    href: str


async def page(request: web.Request) -> web.StreamResponse:
    here, said = frame.frame_of(request), site.words_of(request)
    found, waiting, letters = await site.store_of(request).read(_look, here)
    context = {
        "cards": _cards(said, here, found, waiting, letters)[:CARDS_MAX], "weeks": found.weeks,
        "chart": chart.draw(found.weeks), "bought": any(week.new or week.returning for week in found.weeks),
    }  # fmt: skip
    return await frame.render(request, "shop/today.html", context, page="today")


def _look(session: Session, here: Frame) -> tuple[Today, int, int]:
    member, shop_id = here.member, here.shop.id
    waiting = queue.unanswered(session, member, shop_id, PATIENCE) if member.may(Right.DESK, shop_id) else 0
    # A dead letter may be any shop's customer: only who owns all of them is told.
    letters = len(inbox.dead_letters(session)) if here.rules_all else 0
    return today.look(session, shop_id), waiting, letters


def _cards(said: Words, here: Frame, found: Today, waiting: int, letters: int) -> list[Card]:
    cards = []
    if letters:
        cards.append(Card(
            "warn", "bad",
            said.plural("{n} message couldn't be handled", "{n} messages couldn't be handled", letters),
            said("Nothing is lost. Look at what went wrong and run it again."), said("Look at them"),
            "/desk/dead-letters",
        ))  # fmt: skip
    if waiting:
        cards.append(Card(
            "chat", "bad",
            said.plural("{n} customer waits for an answer", "{n} customers wait for an answer", waiting),
            said("They have been waiting for more than {hours} hours.", hours=PATIENCE // timedelta(hours=1)),
            said("Open the desk"), "/desk",
        ))  # fmt: skip
    if found.offers:
        cards.append(_offer(said, here, found.offers))
    if found.expiring is not None:
        people = said.plural("of {n} person", "of {n} people", found.expiring.people)
        cards.append(Card(
            "clock", "warn",
            said.plural("{n} point is about to expire", "{n} points are about to expire", found.expiring.points),
            said("They are {people}, and go within {days} days.", people=people, days=directory.EXPIRING_DAYS),
            said("See whose they are"), here.url("/shop/customers", only="expiring"),
        ))  # fmt: skip
    if found.asleep:
        cards.append(Card(
            "moon", "brand",
            said.plural("{n} regular hasn't come for long", "{n} regulars haven't come for long", found.asleep),
            said("They bought {orders} times or more, but nothing for {days} days. A small invitation may bring them back.",
                 orders=directory.ASLEEP_ORDERS, days=directory.ASLEEP_DAYS),
            said("See who they are"), here.url("/shop/customers", only="asleep"),
        ))  # fmt: skip
    return cards


def _offer(said: Words, here: Frame, offers: list[Program]) -> Card:
    """The most urgent offer; how many others there are stands below it."""
    offer, others = offers[0], len(offers) - 1
    left = None if offer.stock is None else offer.stock - offer.issued
    if left == 0:
        title, words = (
            said("“{name}” has run out", name=offer.name),
            said("Nobody can get one any more. Add some, or hide it."),
        )
    elif left is not None and offer.stock is not None and left * today.LOW_SHARE <= offer.stock:
        title = said("“{name}” is nearly gone", name=offer.name)
        words = said("{left} of {stock} are left.", left=said.number(left), stock=said.number(offer.stock))
    else:
        assert offer.ends_at is not None
        title = said("“{name}” ends soon", name=offer.name)
        words = said("It ends at {moment}.", moment=said.moment(offer.ends_at, here.shop.timezone))
    if others:
        words += " " + said.plural("{n} more offer needs a look.", "{n} more offers need a look.", others)
    href = here.url("/shop/offers") if others else here.url(f"/shop/offers/{offer.id}")
    return Card("ticket", "bad" if left == 0 else "warn", title, words, said("Look at the offer"), href)
