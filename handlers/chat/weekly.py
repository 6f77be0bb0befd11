"""The owner's week in three plain sentences: what it brought, who came, what may need them. Of few orders nothing is concluded."""

from collections.abc import Callable
from html import escape

from handlers.chat.told import Params, Told
from handlers.chat.voice import Voice
from handlers.words import Words

FEW = 20
"""Orders of a week, from which on a change in per cent says something."""
SAME = 5
"""Per cent: less than this is about as much as before."""


def change(words: Words, now: int, before: int, orders: int, orders_before: int) -> str:
    """How a week's number stands to the one before, as the end of a sentence; of few orders it isn't counted in per cent."""
    if not before:
        return words("nothing the week before")
    if min(orders, orders_before) < FEW:
        return words("{before} the week before, too few orders to say more", before=words.money(before))
    percent = round(100 * (now - before) / before)
    if abs(percent) < SAME:
        return words("about as much as the week before")
    if percent > 0:
        return words("{n} % more than the week before", n=words.number(percent))
    return words("{n} % less than the week before", n=words.number(-percent))


def sentences(words: Words, params: Params) -> list[str]:
    """The three sentences."""
    orders, revenue, new, returning = (int(part) for part in params["sums"])
    orders_before, revenue_before, new_before, returning_before = (int(part) for part in params["sums_before"])
    if not orders:
        first = words(
            "No known customer bought last week ({before} the week before).", before=words.money(revenue_before)
        )
    else:
        first = words(
            "Last week brought {revenue} from {orders} orders: {change}.", revenue=words.money(revenue), orders=words.number(orders),
            change=change(words, revenue, revenue_before, orders, orders_before),
        )  # fmt: skip
    came = {"returning": words.number(returning), "returning_before": words.number(returning_before)}
    if new:
        second = words(
            "{returning} customers came back (the week before {returning_before}), {new} bought for the first time (the week before {new_before}).",
            **came, new=words.number(new), new_before=words.number(new_before),
        )  # fmt: skip
    else:
        second = words(
            "{returning} customers came back (the week before {returning_before}); nobody bought for the first time.", **came
        )  # fmt: skip
    return [first, second, _third(words, params)]


def _third(words: Words, params: Params) -> str:
    """What may need the owner most."""
    leaving, asleep, owed = (int(params[name]) for name in ("leaving", "asleep", "owed"))
    if leaving:
        return words.plural(
            "{n} customer who is worth much is likely to leave: a message now may keep them.",
            "{n} customers who are worth much are likely to leave: a message now may keep them.", leaving,
        )  # fmt: skip
    if asleep:
        return words.plural(
            "{n} regular hasn't come for two months: a good reason to write to them.",
            "{n} regulars haven't come for two months: a good reason to write to them.", asleep,
        )  # fmt: skip
    return words("Nobody needs you urgently; customers hold points worth {money}.", money=words.money(owed))


def _digest(voice: Voice, params: Params) -> Told:
    words = voice.words
    title = words("<b>{shop}</b>: the week {days}", shop=escape(str(params["shop"])), days=escape(str(params["span"])))
    lines = "\n".join(f"• {escape(one)}" for one in sentences(words, params))
    foot = words("More, and the switch for this message, under Insights in the console.")
    files = [{"kind": "photo", "sha": params["picture"], "name": "week.png"}] if params.get("picture") else []
    return Told(f"{title}\n{lines}\n<i>{foot}</i>", files=files)


KINDS: dict[str, Callable[[Voice, Params], Told]] = {"weekly_digest": _digest}
