"""A customer's timeline in words: what each line was, in the language of who reads it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import unescape
from typing import Any

from handlers.chat import notices
from handlers.chat.voice import Voice
from handlers.web.desk import shown
from handlers.web.shop.journeys.said import missed
from handlers.words import Words
from loyalty.outreach import deliveries
from loyalty.vouchers import vouchers
from loyalty.vouchers.redemptions import RedemptionState
from support.timeline import Kind, Line

WORDS_MAX = 280
"""So much of a message is shown; the thread has the rest."""
SENT = {"queued", "sent"}
NAMED = {"badge_earned", "badge_taken_back", "quest_done", "quest_undone", "prize_won"}
"""Events that say the name of what was earned or won."""


@dataclass(frozen=True, slots=True)
class Told:
    """A line as the page shows it. `tone`: good, warn, bad, note or nothing; `ticket` is where the whole thread is."""

    icon: str
    title: str
    words: str = ""
    amount: str = ""
    tone: str = ""
    plus: bool = False
    ticket: int | None = None


def kinds(said: Words) -> list[tuple[Kind, str]]:
    """What the timeline can be narrowed down to."""
    return [
        (Kind.ORDERS, said("Orders")), (Kind.POINTS, said("Points")), (Kind.VOUCHERS, said("Vouchers")),
        (Kind.MESSAGES, said("Messages")), (Kind.TICKETS, said("Requests")), (Kind.EVENTS, said("Events")),
    ]  # fmt: skip


def tell(said: Words, line: Line, *, alone: bool = False) -> Told:
    """One line of the timeline; `alone`: only lines of its kind are shown, so that it says what others beside it would."""
    if line.kind is Kind.ORDERS and alone and line.facts["points"]:
        told = _order(said, line)
        return replace(told, words=_joined([told.words, said("{n} points", n=said.signed(line.facts["points"]))]))
    return _TELLERS[line.kind](said, line)


def _order(said: Words, line: Line) -> Told:
    facts = line.facts
    tone, state = {
        "pending": ("", said("not completed yet")), "cancelled": ("bad", said("cancelled")),
        "refunded": ("warn", said("refunded")),
    }.get(line.what, ("", ""))  # fmt: skip
    if facts["refunded"]:
        tone, state = "warn", said("{money} refunded", money=said.money(facts["refunded"], facts["currency"]))
    parts = [state, said("entered by hand") if facts["source"] == "console" else ""]
    title = said("Order {order}", order=facts["order"])
    return Told("file", title, _joined(parts), said.money(facts["total"], facts["currency"]), tone)


def _points(said: Words, line: Line) -> Told:
    facts = line.facts
    parts = [facts["order"] or "", facts["reason"] or ""] if line.ours else [said("at another shop")]
    gained = facts["points"] > 0
    return Told("star", transfer(said, line.what), _joined(parts), said.signed(facts["points"]), plus=gained)


def transfer(said: Words, kind: str) -> str:
    """What moved somebody's points, in words."""
    return {
        "earn": said("Earned"), "refund": said("Taken back after a refund"), "buy": said("Spent on a reward"),
        "pay": said("Paid with points"), "pay_back": said("Taken back at the till"), "expire": said("Expired"),
        "release": said("Now available"), "adjust": said("Changed by hand"), "merge": said("Two accounts became one"),
        "referral": said("Friend brought along"), "referral_back": said("A friend's order was returned"), "opening": said("Opening balance"),
        "bonus": said("Bonus"), "journey": said("Given by a journey"), "gift": said("Gift between customers"), "hold": said("Set aside"),
        "goodwill": said("Goodwill"), "goodwill_back": said("Goodwill taken back"),
        "recover": said("Taken back: the points were spent"), "forgive": said("Debt let off"),
    }.get(kind, said("Other change"))  # fmt: skip


def _voucher(said: Words, line: Line) -> Told:
    facts = line.facts
    code = vouchers.shown(facts["code"])
    if line.what == "given":
        return Told("gift", said("Voucher received: {name}", name=facts["name"]), code)
    title, tone = {
        RedemptionState.RESERVED: (said("Voucher reserved: {name}", name=facts["name"]), ""),
        RedemptionState.CONFIRMED: (said("Voucher used: {name}", name=facts["name"]), "good"),
        RedemptionState.ROLLED_BACK: (said("Voucher given back: {name}", name=facts["name"]), "warn"),
    }.get(RedemptionState(line.what), (said("Voucher not used after all: {name}", name=facts["name"]), ""))
    off = said.money(-facts["discount"]) if facts["discount"] else ""
    return Told("ticket", title, _joined([facts["order"], code]), off, tone)


def _message(said: Words, line: Line) -> Told:
    facts = line.facts
    if line.what == "notice":
        return _notice(said, facts)
    if line.what in {deliveries.CAMPAIGN, deliveries.JOURNEY}:
        return _outreach(said, line)
    text = _short(facts["text"])
    if facts["files"]:
        files = said.plural("{n} file", "{n} files", facts["files"])
        text = f"{text} [{files}]" if text else f"[{files}]"
    if line.what == "customer":
        return Told("chat", said("The customer wrote"), text, ticket=facts["ticket"])
    if line.what == "note":
        return Told(
            "note", said("Note by {name}", name=facts["staff"] or "?"), text, tone="note", ticket=facts["ticket"]
        )
    tone = "" if facts["state"] in SENT else "bad"
    title = said("{name} answered", name=facts["staff"] or said("The shop"))
    if tone:
        title += " · " + said("did not arrive")
    return Told("reply", title, text, tone=tone, ticket=facts["ticket"])


def _outreach(said: Words, line: Line) -> Told:
    """A message of a campaign or a journey, by its name."""
    facts, ours = line.facts, line.what == deliveries.CAMPAIGN
    title = said("Campaign “{name}”", name=facts["name"]) if ours else said("Journey “{name}”", name=facts["name"])
    if facts["state"] not in SENT:
        title += " · " + (said("has blocked us") if facts["reason"] == "blocked" else said("did not arrive"))
    return Told("send" if ours else "bolt", title, tone="" if facts["state"] in SENT else "bad")


def _notice(said: Words, facts: dict[str, Any]) -> Told:
    """What the bot said, as it says it to somebody whose name it doesn't know."""
    try:
        told = notices.render(facts["kind"], Voice(said, None, ""), facts["params"])
    except (KeyError, TypeError, ValueError):
        # Its facts were erased, or it is older than its words.
        told = None
    text = _short(unescape(re.sub(r"<[^>]+>", "", told.text))) if told is not None else ""
    if facts["state"] == "skipped":
        return Told("bell", said("Not told"), _joined([text, shown.reason(said, facts["reason"])]), tone="warn")
    return Told(
        "bell", said("The bot wrote") if facts["state"] == "queued" else said("The bot is about to write"), text
    )


def _ticket(said: Words, line: Line) -> Told:
    facts, number = line.facts, f"#{line.facts['ticket']}"
    who = facts["staff"] or ""
    title, words, tone = {
        "opened": (said("Asked for help, request {number}", number=number), facts["subject"], ""),
        "resolved": (said("Request {number} resolved", number=number), who, "good"),
        "reopened": (said("Request {number} opened again", number=number), who, "warn"),
        "closed": (said("Request {number} closed", number=number), who, ""),
        "rated": (said("Rated the help, request {number}", number=number),
                  _joined(["★" * int(facts.get("stars", 0)), str(facts.get("comment") or "")]), ""),
    }.get(line.what, (number, line.what, ""))  # fmt: skip
    return Told("help", title, words, tone=tone, ticket=facts["ticket"])


def _journey(said: Words, line: Line) -> Told:
    """What a journey did beside its messages, or couldn't do."""
    facts = line.facts
    title = said("Journey “{name}”", name=facts.get("journey_name") or "–")
    if line.what == "journey_step_missed":
        words = missed(said, str(facts.get("what", "")), str(facts.get("reason", "")))
        return Told("bolt", title, words, tone="warn")
    if line.what == "journey_task":
        return Told("bolt", title, said("Task for the team: {text}", text=_short(str(facts.get("text", "")))))
    return Told("bolt", title, said("Told a connected system: {name}", name=str(facts.get("name", ""))))


def _event(said: Words, line: Line) -> Told:
    facts = line.facts
    if line.what in {"journey_step_missed", "journey_task", "journey_reached"}:
        return _journey(said, line)
    number = f"#{facts.get('ticket', '')}"
    known = {
        "tier_up": ("star", said("Rose to tier {tier}", tier=facts.get("tier", ""))),
        "tier_down": ("star", said("Went down to tier {tier}", tier=facts.get("tier", ""))),
        "referral_opened": ("users", said("Came by a friend's invitation")),
        "referral_rewarded": ("users", said("A friend they brought placed a first order")),
        "order_delivered": ("check", said("Order {order} was delivered", order=facts.get("order") or "")),
        "merged": ("users", said("Another account became a part of this one")),
        "phone_changed": ("phone", said("The phone number was changed by the shop")),
        "phone_proven": ("phone", said("Confirmed the phone number")),
        "profile_changed": ("user", said("Changed their profile")),
        "referral_refused": ("users", said("An invitation was not counted")),
        "badge_earned": ("star", said("Earned a badge")),
        "badge_taken_back": ("star", said("A badge was taken back")),
        "quest_done": ("check", said("Finished a challenge")),
        "quest_undone": ("undo", said("A challenge is open again")),
        "drawn": ("gift", said("Took part in a draw")),
        "prize_won": ("gift", said("Won a prize")),
        "prize_taken_back": ("undo", said("A prize was taken back")),
        "thanked": ("note", said("Was sent a thank-you card")),
        "gift_given": ("gift", said("Gave points to a friend")),
        "gift_taken": ("gift", said("Got points from a friend")),
        "voucher_offered": ("gift", said("Offered a voucher to a friend")),
        "voucher_gift_taken": ("gift", said("Got a voucher from a friend")),
        "deadline_missed": ("clock", said("A deadline of request {number} passed", number=number)),
        "promise_made": ("bell", said("Was promised something, request {number}", number=number)),
        "promise_missed": ("bell", said("A promise was missed, request {number}", number=number)),
        "promise_kept": ("check", said("A promise was kept, request {number}", number=number)),
        "promise_withdrawn": ("undo", said("A promise was withdrawn, request {number}", number=number)),
        "offers_agreed": ("bell", said("Agreed to offers")),
        "offers_stopped": ("bell", said("Asked for no more offers")),
    }
    icon, title = known.get(line.what, ("info", line.what.replace("_", " ").capitalize()))
    if line.what in NAMED and facts.get("name"):
        title = f"{title}: {facts['name']}"
    return Told(icon, title)


def _joined(parts: list[str]) -> str:
    return " · ".join(part for part in parts if part)


def _short(text: str) -> str:
    return text if len(text) <= WORDS_MAX else f"{text[: WORDS_MAX - 1].rstrip()}…"


_TELLERS: dict[Kind, Callable[[Words, Line], Told]] = {
    Kind.ORDERS: _order, Kind.POINTS: _points, Kind.VOUCHERS: _voucher, Kind.MESSAGES: _message,
    Kind.TICKETS: _ticket, Kind.EVENTS: _event,
}  # fmt: skip
