"""The checks behind today's list. Each looks at one thing; `CHECKS` is their order among equals."""

from datetime import timedelta

from sqlalchemy.orm import Session

from handlers.web.shop.campaigns.pages import campaign_waits
from handlers.web.shop.care.plans import care_due
from handlers.web.shop.deadlines.promise_checks import promise_missed
from handlers.web.shop.feedback.checks import goodwill, grave
from handlers.web.shop.journeys.page import journey_tasks
from handlers.web.shop.needs import Ask, Check, Need, Severity
from handlers.web.shop.privacy.page import erasure_waits
from handlers.web.shop.setup_checks import backup_missed
from loyalty.customers import directory
from loyalty.insights import needs, today
from loyalty.points import adjustments
from loyalty.recognition import thanks
from loyalty.referrals import referral_tree
from store import inbox, staff, webhooks
from store.staff import Right
from support import queue

PATIENCE = timedelta(hours=4)
"""A customer who waits longer for an answer is the owner's business."""
LOST_WITHIN = timedelta(days=2)


def dead_letters(session: Session, ask: Ask) -> Need | None:
    # A dead letter may be any shop's customer: only who owns all of them is told.
    count = len(inbox.dead_letters(session)) if ask.here.rules_all else 0
    if not count:
        return None
    said = ask.said
    return Need(
        Severity.HARM, "warn",
        said.plural("{n} message couldn't be handled", "{n} messages couldn't be handled", count),
        said("Nothing is lost. Look at what went wrong and run it again."), said("Look at them"), "/desk/dead-letters",
    )  # fmt: skip


def waiting(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    if not here.member.may(Right.DESK, here.shop.id):
        return None
    count = queue.unanswered(session, here.member, here.shop.id, PATIENCE)
    if not count:
        return None
    return Need(
        Severity.HARM, "chat",
        said.plural("{n} customer waits for an answer", "{n} customers wait for an answer", count),
        said("They have been waiting for more than {hours} hours.", hours=PATIENCE // timedelta(hours=1)),
        said("Open the desk"), "/desk",
    )  # fmt: skip


def not_arrived(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    if not here.member.may(Right.DESK, here.shop.id):
        return None
    count = queue.not_arrived(session, here.shop.id, LOST_WITHIN)
    if not count:
        return None
    return Need(
        Severity.HARM, "wifi-off",
        said.plural("{n} answer didn't reach its customer", "{n} answers didn't reach their customers", count),
        said("They blocked the shop, or the messenger refused it. A call may help."), said("Open the desk"), "/desk",
    )  # fmt: skip


def wallet(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    found = needs.wallet(session, here.shop.id)
    if not found.low:
        return None
    return Need(
        Severity.HARM if found.left <= 0 else Severity.SOON, "star",
        said.plural("{n} point is left to give", "{n} points are left to give", found.left),
        said("When none are left, orders can't earn any more. Top up the shop's points."), said("Look at the points"),
        here.url("/shop/points"),
    )  # fmt: skip


def approvals(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    # Nobody approves what they asked for themselves.
    count = sum(one.asked_by != here.member.id for one in adjustments.waiting(session, here.shop.id))
    if not count:
        return None
    return Need(
        Severity.SOON, "star",
        said.plural("{n} change of points waits for your yes", "{n} changes of points wait for your yes", count),
        said("They are above what a colleague may give or take alone. Look at the reason and decide."),
        said("Look at them"), here.url("/shop/points"),
    )  # fmt: skip


def broken_webhooks(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    # Who may not open the page that mends it is not told.
    count = len(webhooks.broken(session, here.shop.id)) if here.member.may(Right.STAFF, here.shop.id) else 0
    if not count:
        return None
    return Need(
        Severity.HARM, "link",
        said.plural("{n} connected system can't be reached", "{n} connected systems can't be reached", count),
        said("It isn't told any more what happens here. Nothing is lost: it can be told again."), said("Look at them"),
        here.url("/shop/webhooks"),
    )  # fmt: skip


def no_messenger(_session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    if not here.rules_all or {name.lower() for name in ask.messengers} - {"web"}:
        return None
    return Need(
        Severity.SOON, "send", said("Customers can't reach you on a messenger yet"),
        said("Only the chat on the web works. With a Telegram bot they get their points where they chat anyway."),
        said("How to connect it"), here.url("/shop/setup"),
    )  # fmt: skip


def offer(session: Session, ask: Ask) -> Need | None:
    """The most urgent offer; how many others there are stands below it."""
    here, said = ask.here, ask.said
    found = today.offers(session, here.shop.id)
    if not found:
        return None
    first, others = found[0], len(found) - 1
    left = None if first.stock is None else first.stock - first.issued
    if left == 0:
        title = said("“{name}” has run out", name=first.name)
        words = said("Nobody can get one any more. Add some, or hide it.")
    elif left is not None and first.stock is not None and left * today.LOW_SHARE <= first.stock:
        title = said("“{name}” is nearly gone", name=first.name)
        words = said("{left} of {stock} are left.", left=said.number(left), stock=said.number(first.stock))
    else:
        assert first.ends_at is not None
        title = said("“{name}” ends soon", name=first.name)
        words = said("It ends at {moment}.", moment=said.moment(first.ends_at, here.shop.timezone))
    if others:
        words += " " + said.plural("{n} more offer needs a look.", "{n} more offers need a look.", others)
    href = here.url("/shop/offers") if others else here.url(f"/shop/offers/{first.id}")
    return Need(Severity.HARM if left == 0 else Severity.SOON, "ticket", title, words, said("Look at the offer"), href)


def referrals(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    count = referral_tree.queue(session, here.shop.id)[1]
    if not count:
        return None
    return Need(
        Severity.SOON, "users", said.plural("{n} referral waits for you", "{n} referrals wait for you", count),
        said("A rule held them back. Look at the reason and decide."), said("Look at them"), here.url("/shop/referrals"),
    )  # fmt: skip


def expiring(session: Session, ask: Ask) -> Need | None:
    """Many points of few people within a week; else any points within the month."""
    here, said = ask.here, ask.said
    href, action = here.url("/shop/customers", only="expiring"), said("See whose they are")
    big = needs.big_expiring(session, here.shop.id)
    if big is not None:
        return Need(
            Severity.SOON, "clock",
            said.plural("{n} customer is about to lose many points", "{n} customers are about to lose many points", big.people),
            said("{points} expire within 7 days. A call or a message brings them back in time.",
                 points=said.plural("{n} point", "{n} points", big.points)), action, href,
        )  # fmt: skip
    found = today.expiring(session, here.shop.id)
    if found is None:
        return None
    people = said.plural("of {n} person", "of {n} people", found.people)
    return Need(
        Severity.SOON, "clock",
        said.plural("{n} point is about to expire", "{n} points are about to expire", found.points),
        said("They are {people}, and go within {days} days.", people=people, days=directory.EXPIRING_DAYS), action, href,
    )  # fmt: skip


def falling(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    count = needs.falling(session, here.shop.id)
    if not count:
        return None
    return Need(
        Severity.CHANCE, "star",
        said.plural("{n} customer is about to lose their tier", "{n} customers are about to lose their tier", count),
        said("They know what is missing. A good reason to visit helps them keep it."), said("See your customers"),
        here.url("/shop/customers"),
    )  # fmt: skip


def thank_cards(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    count = thanks.waiting(session, here.shop.id)
    if not count:
        return None
    return Need(
        Severity.CHANCE, "note",
        said.plural("{n} thank-you card is waiting to be written", "{n} thank-you cards are waiting to be written", count),
        said("Two lines by hand are remembered longer than a discount."), said("Write them"), here.url("/shop/thanks"),
    )  # fmt: skip


def asleep(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    count = today.asleep(session, here.shop.id)
    if not count:
        return None
    return Need(
        Severity.CHANCE, "moon",
        said.plural("{n} regular hasn't come for long", "{n} regulars haven't come for long", count),
        said("They bought {orders} times or more, but nothing for {days} days. A small invitation may bring them back.",
             orders=directory.ASLEEP_ORDERS, days=directory.ASLEEP_DAYS),
        said("See who they are"), here.url("/shop/customers", only="asleep"),
    )  # fmt: skip


# ── When little needs anybody: good news, and the next good step ────────────────────────────────────


def newcomers(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    count = needs.joined(session, here.shop.id)
    if not count:
        return None
    return Need(
        Severity.STEP, "users", said.plural("{n} new customer this week", "{n} new customers this week", count),
        said("Say hello when they come again: the second visit makes a regular."), said("See who they are"),
        here.url("/shop/customers", sort="joined.desc"),
    )  # fmt: skip


def first_offer(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    if needs.offers(session, here.shop.id):
        return None
    return Need(
        Severity.STEP, "gift", said("Give the points something to buy"),
        said("With a first reward customers see what they collect for."), said("Make the first offer"),
        here.url("/shop/offers/new"),
    )  # fmt: skip


def reachable(_session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    if here.shop.address and here.shop.phone:
        return None
    return Need(
        Severity.STEP, "pin", said("Tell customers where you are"),
        said("Address and phone stand on your programme's page, on the poster and in the chat."), said("Fill them in"),
        here.url("/shop/settings"),
    )  # fmt: skip


def team(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    if not here.member.may(Right.STAFF, here.shop.id) or len(staff.every(session)) > 1:
        return None
    return Need(
        Severity.STEP, "user", said("Bring your team in"),
        said("A cashier needs only the till; who answers customers needs only the desk."), said("Add somebody"),
        here.url("/shop/team"),
    )  # fmt: skip


def poster(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    if needs.joined(session, here.shop.id):
        return None
    return Need(
        Severity.STEP, "qr", said("Put a code on the counter"),
        said("Nobody joined this week. A poster or a table card with your code asks them for you."),
        said("Print it"), here.url("/shop/share"),
    )  # fmt: skip


CHECKS: list[Check] = [
    dead_letters, promise_missed, erasure_waits, waiting, not_arrived, broken_webhooks, backup_missed, grave, wallet, offer, approvals, campaign_waits, goodwill, care_due, referrals, journey_tasks, expiring,
    no_messenger, falling, thank_cards, asleep, newcomers, first_offer, poster, reachable, team,
]  # fmt: skip
