"""A campaign's facts in words: its state, why people are skipped, how long it takes, how sure a comparison is."""

from math import ceil

from handlers.words import Words
from loyalty.outreach.campaigns.campaigns import CampaignState
from loyalty.outreach.campaigns.comparing import Difference
from loyalty.outreach.manners import Reason


def states(said: Words) -> dict[str, str]:
    return {
        CampaignState.DRAFT: said("Draft"), CampaignState.PROPOSED: said("Waits for a second person"),
        CampaignState.APPROVED: said("Approved"), CampaignState.SENDING: said("Sending"),
        CampaignState.PAUSED: said("Paused"), CampaignState.STOPPED: said("Stopped for good"),
        CampaignState.DONE: said("Done"),
    }  # fmt: skip


def reasons(said: Words) -> dict[str, str]:
    """Why somebody isn't written to."""
    return {
        Reason.NO_CONSENT: said("haven't agreed to offers"), Reason.OPTED_OUT: said("don't want these messages"),
        Reason.COMPLAINT: said("have a complaint that isn't settled"),
        Reason.CAP: said("have heard enough for now"), Reason.NO_MESSENGER: said("have never chatted with the shop"),
        Reason.BLOCKED: said("have blocked the bot"), Reason.GONE: said("are no customers any more"),
        Reason.STOPPED: said("were left when it was stopped"), Reason.NO_WORDS: said("there were no words for them"),
        Reason.NO_VOUCHER: said("there was no voucher left for them"),
        Reason.DO_NOT_CALL: said("are on the do-not-call list"),
    }  # fmt: skip


def messengers(said: Words) -> dict[str, str]:
    return {"telegram": "Telegram", "web": said("the web chat")}


def span(said: Words, seconds: float) -> str:
    """How long something takes, as people say it."""
    if seconds < 60:
        return said("less than a minute")
    minutes = ceil(seconds / 60)
    if minutes < 90:
        return said.plural("about {n} minute", "about {n} minutes", minutes)
    return said.plural("about {n} hour", "about {n} hours", round(minutes / 60))


def sending(said: Words, people: int, seconds: float, cost: int, stars: int) -> str:
    """What letting it go does, in one line; `cost` in đồng."""
    money = said.money(cost) if cost else said("free of charge")
    paid = said.plural("at most {n} Star", "at most {n} Stars", stars)
    price = (said("{money} and {stars}", money=money, stars=paid) if cost else paid) if stars else money
    takes = span(said, seconds)
    return said.plural("Send to {n} customer, {span}, {price}", "Send to {n} customers, {span}, {price}", people, span=takes, price=price)  # fmt: skip


def share(said: Words, fraction: float, *, signed: bool = False) -> str:
    """12,3% in Vietnamese, 12.3% in English."""
    text = f"{fraction * 100:+.1f}" if signed else f"{fraction * 100:.1f}"
    text = text.replace("-", "−")
    return (text.replace(".", ",") if said.language == "vi" else text) + "%"


def verdict(said: Words, found: Difference, first: str, second: str) -> str:
    """Which of two groups did better, only where that is sure."""
    if found.sure:
        better, other = (first, second) if found.low > 0 else (second, first)
        return said("{better} did better than {other}.", better=better, other=other)
    if found.more is None:
        return said("Not known yet: the two came out alike.")
    return said.plural(
        "Not known yet: it takes about {n} more person.", "Not known yet: it takes about {n} more people.", _rounded(found.more)
    )  # fmt: skip


def _rounded(number: int) -> int:
    """Two digits that count: more would look surer than it is."""
    size: int = 10 ** max(0, len(str(number)) - 2)
    return ceil(number / size) * size


def left(said: Words, waiting: int, lately: int, lately_seconds: float) -> str:
    """How long the rest takes at the rate of the last seconds."""
    return span(said, waiting * lately_seconds / lately) if lately else ""
