"""Naming: fields, operators and values of criteria in the reader's words, and conditions as sentences."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from handlers.words import Words
from loyalty.customers.rfm import Rfm
from loyalty.outreach.segments import fields
from loyalty.outreach.segments.criteria import All, Any_, Criteria, CriteriaError, Not, Op, Test, parse
from loyalty.outreach.segments.fields import FIELDS, Look
from loyalty.outreach.segments.looks import Field, Kind
from loyalty.outreach.segments.whys import Verdict


def groups(said: Words) -> list[tuple[str, dict[str, str]]]:
    """Every field by theme, in the order in which a form offers them."""
    return [
        (said("What they buy"), {
            "orders_count": said("Number of orders"), "spend_total": said("Spent in all"), "orders": said("Orders in a period"),
            "spend": said("Spent in a period"), "average_order": said("Average order"),
            "days_since_last_order": said("Last order"), "days_since_first_order": said("First order"),
            "item": said("Bought the item"), "category": said("Bought from the category"), "ordered_at": said("Bought at the shop"),
            "rfm": said("Kind of customer (RFM)"), "debt": said("Debt"), "p_alive": said("Likely to come back"),
            "worth": said("Expected in the next 12 months"),
        }),
        (said("Points, tier, vouchers"), {
            "points": said("Points"), "points_pending": said("Points not yet available"),
            "points_expiring": said("Points that expire"), "tier": said("Tier"), "tier_points": said("Tier points"),
            "tier_at_risk": said("Tier at risk"), "vouchers": said("Unused vouchers"), "voucher_of": said("Has an unused voucher of"),
            "referred": said("Came by a friend's invitation"), "friends": said("Friends brought"),
        }),
        (said("Who they are"), {
            "joined_days_ago": said("Customer since"), "birthday": said("Birthday"), "birthday_month": said("Month of birth"),
            "language": said("Language"), "tag": said("Tag"), "shop": said("Home shop"), "list": said("On the list"),
        }),
        (said("How you talk"), {
            "messenger": said("Messenger"), "reachable": said("Can be reached"), "offers": said("Agreed to offers"),
            "days_since_last_reply": said("Last reply"), "messages": said("Messages received"),
            "messages_clicked": said("Messages with a link opened"), "campaign_got": said("Received the campaign"),
            "campaign_clicked": said("Opened a link of the campaign"), "campaign_redeemed": said("Used the voucher of the campaign"),
            "open_tickets": said("Open requests"), "open_complaints": said("Open complaints"), "last_rating": said("Last rating (stars)"),
        }),
    ]  # fmt: skip


def labels(said: Words) -> dict[str, str]:
    """Every field's name."""
    return {name: label for _, found in groups(said) for name, label in found.items()}


def ops(said: Words, known: Field) -> dict[str, str]:
    """The operators that a field takes."""
    if known.kind is Kind.DAYS:
        named = {
            "<=": said("within the last … days"), ">": said("more than … days ago"), "=": said("exactly … days ago"),
            "!=": said("not … days ago"), "<": said("less than … days ago"), ">=": said("at least … days ago"), "in": said("one of … days ago"),
        }  # fmt: skip
    elif known.ordered:
        named = {
            ">=": said("at least"), ">": said("more than"), "<=": said("at most"), "<": said("less than"), "=": said("exactly"),
            "!=": said("not"), "in": said("one of"),
        }  # fmt: skip
    else:
        named = {"=": said("is"), "!=": said("is not"), "in": said("is one of")}
    return {op: words for op, words in named.items() if op in {one.value for one in known.ops}}


def choices(said: Words, known: Field, seen: Look) -> dict[str, str]:
    """The values of a choice, by what a form sends; none where any value may be typed."""
    if known.kind is Kind.MONTH:
        return {str(month): said("month {n}", n=str(month)) for month in range(1, 13)}
    if known.choices is None:
        return {}
    words = _values(said)
    return {str(key): name or words.get(str(key), str(key)) for key, name in known.choices(seen).items()}


def rfm(said: Words) -> dict[str, str]:
    """The kinds of customers."""
    return {
        Rfm.CHAMPION.value: said("champion: often and lately"), Rfm.LOYAL.value: said("regular"),
        Rfm.PROMISING.value: said("promising: came twice"), Rfm.NEW.value: said("new: came once"),
        Rfm.COOLING.value: said("cooling down"), Rfm.AT_RISK.value: said("regular at risk"), Rfm.SLEEPING.value: said("sleeping"),
        Rfm.CANT_LOSE.value: said("was among the best, stays away"), Rfm.LOST.value: said("lost"),
    }  # fmt: skip


def _values(said: Words) -> dict[str, str]:
    return {
        "yes": said("yes"), "no": said("no"), "vi": said("Vietnamese"), "en": said("English"), "telegram": "Telegram", "zalo": "Zalo",
        "web": said("web chat"), "today": said("today"), "this_month": said("this month"), "next_month": said("next month"),
        **rfm(said),
    }  # fmt: skip


def sentence(said: Words, test: Test, seen: Look) -> str:
    """A condition in words: “Orders in a period: at least 2, within 60 days”."""
    known = FIELDS[test.field]
    named, each = choices(said, known, seen), test.value if isinstance(test.value, tuple) else (test.value,)
    value = ", ".join(named.get(str(one)) or _shown(said, known, one) for one in each)
    label, op = labels(said)[test.field], ops(said, known)[test.op.value]
    if test.op is Op.IS and not known.ordered:
        # “Tier at risk”, not “Tier at risk: is yes”.
        words = label if test.value == "yes" else f"{label}: {value}"
    else:
        words = f"{label}: {op.replace('…', value) if '…' in op else f'{op} {value}'}"
    if test.days is None:
        return words
    days = said.number(test.days)
    if test.field == "points_expiring":
        return said("{condition}, in the next {n} days", condition=words, n=days)
    return said("{condition}, in the last {n} days", condition=words, n=days)


def summary(said: Words, kept: Any, seen: Look) -> str:
    """Whom criteria ask for, as they are kept, in one line; empty where they ask for what is no longer there."""
    try:
        asked = parse(kept)
        fields.check(asked, seen)
    except CriteriaError:
        return ""
    return _summary(said, asked, seen)


def _summary(said: Words, part: Criteria, seen: Look, *, inside: bool = False) -> str:
    match part:
        case Test():
            return sentence(said, part, seen)
        case Not(below):
            return said("not ({conditions})", conditions=_summary(said, below, seen))
        case All(parts) | Any_(parts):
            joint = " · " if isinstance(part, All) else f" {said('or')} "
            words = joint.join(_summary(said, one, seen, inside=True) for one in parts)
            return f"({words})" if inside and len(parts) > 1 else words


def found(said: Words, test: Test, value: Any, seen: Look) -> str:
    """What is so of a customer, beside a condition; empty where it can't be said."""
    known = FIELDS[test.field]
    if known.value is None:
        return ""
    if value is None or value == []:
        return said("nothing known") if known.kind is not Kind.TEXT else said("none")
    if known.kind is Kind.DAYS:
        if not isinstance(value, datetime):
            return ""
        ago = (seen.today - value.astimezone(ZoneInfo(seen.zone)).date()).days
        return said.plural("{n} day ago", "{n} days ago", ago) if ago > 0 else said("today")
    if test.field == "tier":
        return next((tier.name for tier in seen.ladder if tier.id == value), "")
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return choices(said, known, seen).get(str(value)) or _shown(said, known, value)


def verdict(said: Words, told: Verdict, seen: Look) -> dict[str, Any]:
    """A verdict for a page: a condition's sentence or what is asked of several, whether it holds, what is so."""
    if isinstance(told.part, Test):
        return {
            "holds": told.holds, "words": sentence(said, told.part, seen), "parts": [],
            "found": found(said, told.part, told.found, seen),
        }  # fmt: skip
    heads = {All: said("All of these"), Any_: said("At least one of these"), Not: said("Not:")}
    parts = [verdict(said, one, seen) for one in told.parts]
    return {"holds": told.holds, "words": heads[type(told.part)], "parts": parts, "found": ""}


def _shown(said: Words, known: Field, value: Any) -> str:
    if isinstance(value, date | datetime):
        return said.date(value)
    if known.kind is Kind.MONEY:
        return said.money(int(value))
    if known.name == "p_alive":
        return f"{value} %"
    return said.number(int(value)) if isinstance(value, int) else str(value)


def ready(said: Words) -> Mapping[str, str]:
    """The names of ready-made segments."""
    return {
        "new": said("New customers"), "second_order": said("Second order is due"), "regulars": said("Regulars"),
        "sleeping": said("Sleeping customers"), "lost": said("Lost customers"), "champions": said("Champions"),
        "birthday": said("Birthday this month"), "points_expiring": said("Points expire soon"), "tier_at_risk": said("Tier in danger"),
        "leaving": said("Worth much, likely to leave"), "unhappy": said("Unhappy customers"),
    }  # fmt: skip
