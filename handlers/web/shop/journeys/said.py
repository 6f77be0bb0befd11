"""How journeys are said: what begins them, what their steps do, what is wrong with them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from handlers.chat import outreach
from handlers.web.shop.journeys.composing import ASKED, EVERYBODY, OWN, Node
from handlers.words import Words
from loyalty.outreach import templates
from loyalty.outreach.journeys import steps, triggers
from loyalty.outreach.manners import Reach, Reason
from loyalty.outreach.segments.saved import Segment
from loyalty.outreach.templates import TemplateError
from store.errors import InvalidError

LINE_CHARS = 110


def kinds(said: Words) -> Mapping[str, tuple[str, str]]:
    """Steps by kind: picture and name."""
    return {
        "message": ("send", said("Send a message")), "wait": ("clock", said("Wait")), "until": ("bell", said("Wait until")),
        "condition": ("help", said("Ask a question")), "split": ("users", said("Split at random")),
        "voucher": ("ticket", said("Give a voucher")), "points": ("star", said("Give points")),
        "tag": ("tag", said("Put a tag")), "task": ("note", said("Task for the team")),
        "webhook": ("link", said("Tell a connected system")), "exit": ("close", said("End here")),
    }  # fmt: skip


def branches(said: Words) -> Mapping[str, str]:
    return {"then": said("Yes"), "else": said("No"), "a": "A", "b": "B"}


def triggers_said(said: Words) -> Mapping[str, tuple[str, str]]:
    """Triggers by kind: name, and what its number counts."""
    return {
        "joined": (said("somebody joins"), ""),
        "first_order": (said("the first order"), ""),
        "second_order": (said("the second order"), ""),
        "order_completed": (said("every order"), ""),
        "no_order": (said("no order for a while"), said("days without an order")),
        "birthday": (said("a birthday"), said("days before it")),
        "points_expiring": (said("points are about to expire"), said("days before it")),
        "tier_up": (said("a higher tier is reached"), ""),
        "tier_at_risk": (said("a tier is at risk"), said("days before it is lost, at most")),
        "voucher_unused": (said("a voucher stays unused"), said("days after it was given")),
        "referred": (said("a friend's invitation was followed"), ""),
        "ticket_resolved": (said("a request is resolved"), ""),
        "low_rating": (said("a low rating"), said("stars or fewer")),
        "segment_entered": (said("somebody comes into a group"), ""),
        "date": (said("a day"), ""),
    }  # fmt: skip


def questions(said: Words) -> Mapping[str, tuple[str, str]]:
    """What can be asked: the question, and the unit of its number."""
    return {
        "ordered_within": (said("ordered in the last … days"), said("days")),
        "away_for": (said("no order for … days or more"), said("days")),
        "orders_least": (said("… orders or more"), said("orders")),
        "orders_exact": (said("exactly … orders"), said("orders")),
        "spent_least": (said("spent … đồng or more"), "₫"),
        "points_least": (said("has … points or more"), said("points")),
        "complaints": (said("exactly … open complaints"), said("complaints")),
    }  # fmt: skip


def asked(said: Words, what: Mapping[str, str], segments: Sequence[Segment]) -> str:
    """A question in a few words."""
    ask = what.get("ask", EVERYBODY)
    if ask == EVERYBODY:
        return said("everybody")
    if ask == OWN:
        return said("conditions of its own")
    if ask in ASKED:
        return questions(said)[ask][0].replace("…", what.get("n", "") or "…", 1)
    name = next((one.name for one in segments if ask == f"segment:{one.id}"), "–")
    return said("is in “{segment}”", segment=name)


def weekdays(said: Words) -> Mapping[str, str]:
    return {
        "1": said("Monday"), "2": said("Tuesday"), "3": said("Wednesday"), "4": said("Thursday"), "5": said("Friday"),
        "6": said("Saturday"), "7": said("Sunday"),
    }  # fmt: skip


def begins(said: Words, trigger: Mapping[str, Any], segments: Mapping[int, str]) -> str:
    """What begins a journey, as the end of "Begins with …"; what isn't chosen yet is left open."""
    kind = str(trigger["kind"])
    known = triggers.TRIGGERS.get(kind)
    number = trigger.get(known.number[0]) if known and known.number else None
    if kind == "segment_entered" and number is not None:
        return said("somebody comes into “{segment}”", segment=segments.get(number, "–"))
    if kind == "date" and trigger.get("on"):
        return said.date(date.fromisoformat(trigger["on"]))
    match kind, number:
        case "no_order", int(n):
            return said.plural("{n} day without an order", "{n} days without an order", n)
        case "birthday", 0:
            return said("the birthday itself")
        case "birthday", int(n):
            return said.plural("{n} day before a birthday", "{n} days before a birthday", n)
        case "points_expiring", 0:
            return said("the day on which points expire")
        case "points_expiring", int(n):
            return said.plural("{n} day before points expire", "{n} days before points expire", n)
        case "tier_at_risk", int(n):
            return said.plural("a tier at risk, {n} day ahead", "a tier at risk, {n} days ahead", n)
        case "voucher_unused", int(n):
            return said.plural("a voucher unused for {n} day", "a voucher unused for {n} days", n)
        case "low_rating", int(n):
            return said.plural("a rating of {n} star", "a rating of {n} stars or fewer", n)
    return triggers_said(said).get(kind, ("–", ""))[0]


def as_read(said: Words, language: str, words: str, shop: str) -> str:
    """A message as a customer would read it; as it is written while it isn't sound yet."""
    name = "Lan" if language == "vi" else "Ann"
    reader = Reach(0, "", 0, name, language, None)
    more = outreach.voucher_values(language, name=said("Gift"), code="K7MD2QXW9HPTA", last_day=None)
    try:
        return templates.render(words, outreach.values_of(reader, points=1_234, tier=said("Silver"), shop=shop) | more)
    except TemplateError:
        return words


def line(said: Words, node: Node, known: Mapping[str, Any]) -> str:
    """A step in a few words; `known` holds the offers' names, the segments and the shop's name."""
    what = node.said
    match node.kind:
        case "wait" if what.get("unit") == "hours":
            return said("{n} hours", n=what.get("days") or "…")
        case "wait":
            days = said("{n} days", n=what.get("days") or "…")
            return said("{days}, until {time}", days=days, time=what["clock"]) if what.get("clock") else days
        case "until":
            day = what.get("date") or weekdays(said).get(what.get("weekday", ""), "…")
            return said("{day} at {time}", day=day, time=what.get("at", ""))
        case "condition":
            return asked(said, what, known["segments"]) + "?"
        case "split":
            return said("{share} of 100 go A", share=what.get("share", ""))
        case "message":
            language = "vi" if what.get("words_vi") else "en"
            words = as_read(said, language, what.get(f"words_{language}") or "…", known["shop_name"])
            return words if len(words) <= LINE_CHARS else words[: LINE_CHARS - 1].rstrip() + "…"
        case "voucher":
            return str(known["offers"].get(what.get("program", ""), "…"))
        case "points":
            return said("{n} points", n=what.get("points") or "…")
    return what.get("tag") or what.get("text") or what.get("name") or ""


def missed(said: Words, what: str, reason: str) -> str:
    """What a journey couldn't do for somebody, and why."""
    why = {
        "sold_out": said("it was sold out"), "limit_reached": said("they have had as many as one may have"),
        "budget_spent": said("its budget was spent"), "voucher_unusable": said("the offer was over"),
        "insufficient_points": said("the shop's points were used up"), "not_found": said("it is no longer there"),
    }.get(reason, said("it couldn't be done"))  # fmt: skip
    match what:
        case "voucher":
            return said("No voucher given: {why}", why=why)
        case "points":
            return said("No points given: {why}", why=why)
    return said("A step was left out: {why}", why=why)


def unheard(said: Words, reason: str) -> str:
    """Why a journey's message wasn't heard by somebody."""
    why = {
        Reason.NO_CONSENT: said("they haven't agreed to offers"), Reason.OPTED_OUT: said("they don't want such messages"),
        Reason.COMPLAINT: said("they have a complaint that isn't settled"), Reason.CAP: said("they had heard enough"),
        Reason.NO_MESSENGER: said("they have never chatted with the shop"), Reason.BLOCKED: said("they have blocked the bot"),
        Reason.NO_VOUCHER: said("there was no voucher to tell of"), Reason.NO_WORDS: said("its step was taken out"),
        Reason.DO_NOT_CALL: said("they are on the do-not-call list"),
    }.get(Reason(reason) if reason in set(Reason) else Reason.GONE, said("it didn't arrive"))  # fmt: skip
    return said("A message not sent: {why}", why=why)


def problem(said: Words, error: InvalidError) -> str:
    """What is wrong, in words, for the field it is wrong in."""
    name = error.field.rsplit(".", 1)[-1]
    if error.field == "steps":
        return said("A journey needs at least one step, and has {n} at most.", n=steps.STEPS_MAX)
    if error.problem == "depth":
        return said("Questions within questions: {n} at most.", n=steps.DEPTH_MAX - 1)
    if error.problem == "syntax":
        return said("A place isn't closed properly: write it like {place}.", place="{{ name }}")
    if error.problem in {"unknown", "unsupported"} and name.startswith("words"):
        return said("“{value}” isn't known. Use the places named above.", value=str(error.value)[:40])
    if name in {"n", "days", "share", "points", "stars", "days_before", "weekday", "number"}:
        return (
            said("A whole number is needed here.")
            if error.problem != "range"
            else said("This number is too small or too large.")
        )
    known = {
        "name": said("A name of 1 to {n} letters.", n=120), "program": said("Choose the voucher."), "ask": said("Choose what is asked."),
        "segment": said("Choose the group."), "on": said("Choose a day."), "clock": said("A time like 09:30."), "at": said("A time like 09:30."),
        "date": said("Choose a day."), "tag": said("Write the tag."), "text": said("Write what is to be done."),
        "reason": said("Say what the points are for."), "kind": said("Choose what begins it."),
    }  # fmt: skip
    if "pictures" in error.field:
        return (
            said("Ten pictures are the most.")
            if error.problem == "count"
            else said("This picture isn't here any more: take it away and add it again.")
        )
    if name.startswith("words"):
        return (
            said("Up to {n} letters.", n=said.number(3_500))
            if error.problem == "length"
            else said("Write the message in one language at least.")
        )
    return known.get(name) or said("Please look at this again.")


def told_once(lines: Sequence[str]) -> list[str]:
    """The same lines, each once, with how often it was."""
    return [line if times == 1 else f"{line} (×{times})" for line, times in Counter(lines).items()]
