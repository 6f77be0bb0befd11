"""Tiers in words: what is missing in the unit they are measured by, and what they bring. For chat, pictures and pages."""

from collections.abc import Callable, Mapping
from typing import Any

from handlers.measures import measured
from handlers.words import Words
from loyalty.tiers.tier_rule import Measure, Standing

Say = Callable[..., str]


def way_up(words: Words, standing: Standing) -> str:
    """What is missing to the next tier, short enough for a card; nothing at the top."""
    if standing.next is None:
        return ""
    if standing.measure is Measure.TIER_POINTS:
        return words("{missing} tier points to {next}", missing=words.number(standing.to_next), next=standing.next.name)
    missing = measured(words, standing.measure, standing.to_next)
    return words("{amount} to {next}", amount=missing, next=standing.next.name)


def way_to_stay(words: Words, standing: Standing) -> str:
    """What is missing to keep the tier; nothing where it is not in danger."""
    if not standing.missing or standing.last_day is None:
        return ""
    return words(
        "To keep {tier}: {amount} more by {day}", tier=standing.tier.name,
        amount=measured(words, standing.measure, standing.missing), day=words.date(standing.last_day),
    )  # fmt: skip


def brings(say: Say, words: Words, found: Mapping[str, Any]) -> list[str]:
    """What a tier brings, a line each, from a notice's parameters or qualification.brings; `say` fills in what people
    wrote (and escapes it, where the text is HTML).
    """
    lines = []
    if found.get("description"):
        lines.append(say("{text}", text=str(found["description"])))
    if (more := int(found.get("multiplier") or 100) - 100) > 0:
        lines.append(say("{percent}% more points on every order", percent=str(more)))
    if found.get("price_cut"):
        lines.append(say("Vouchers for {percent}% fewer points", percent=str(found["price_cut"])))
    if found.get("price_list"):
        lines.append(say("Prices of your own: {list}", list=str(found["price_list"])))
    if found.get("priority"):
        lines.append(say("Your questions are answered first"))
    if found.get("gift_points"):
        lines.append(say("A gift: {points} points", points=words.number(int(found["gift_points"]))))
    if found.get("gift_voucher"):
        lines.append(say("A gift: the voucher “{voucher}”", voucher=str(found["gift_voucher"])))
    return lines
