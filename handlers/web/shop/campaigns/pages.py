"""Campaigns as they stand: the list, one while it is sent, what it came to, and its buttons."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import chart, fields, frame, sheets_out
from handlers.web.shop.campaigns import composing
from handlers.web.shop.campaigns import said as facts
from handlers.web.shop.sheets_out import Sheet
from handlers.words import Words
from loyalty.insights.today import Week
from loyalty.outreach import deliveries, links, manners
from loyalty.outreach.campaigns import campaigns, contents, drafts, reports, terms
from loyalty.outreach.campaigns.campaigns import Campaign, CampaignState
from loyalty.outreach.campaigns.reports import Report
from loyalty.outreach.campaigns.terms import Terms
from loyalty.vouchers import voucher_programs
from store import staff
from store.clock import now
from store.errors import InvalidError, NotFoundError
from store.outbox import Purpose

LISTED = 50
LATELY = timedelta(seconds=10)
"""Over so long the rate of sending is measured."""
LINES_MAX = 100_000
RUNNING = {CampaignState.APPROVED, CampaignState.SENDING, CampaignState.PAUSED, CampaignState.PROPOSED}


# ── The list ────────────────────────────────────────────────────────────────────────────────────────


async def page(request: web.Request) -> web.StreamResponse:
    return await _list(request, {}, {})


async def _list(request: web.Request, form: dict[str, str], errors: dict[str, str], status: int = 200) -> web.Response:
    here, said = frame.frame_of(request), site.words_of(request)
    before = frame.whole(request.query["before"]) if "before" in request.query else None

    def look(session: Session) -> dict[str, Any]:
        found = campaigns.of_shop(session, here.shop.id, LISTED + 1, before)
        stand = {one.id: deliveries.counts(session, deliveries.CAMPAIGN, one.id) for one in found[:LISTED]}
        kept = terms.of(session)
        return {
            "lines": [(one, _sums(stand[one.id])) for one in found[:LISTED]],
            "more": found[LISTED - 1].id if len(found) > LISTED else None,
            "form": {name: "" if value is None else said.number(value) for name, value in asdict(kept).items()} | form,
        }  # fmt: skip

    context = await site.store_of(request).read(look)
    context |= {"states": facts.states(said), "errors": errors}
    return await frame.render(request, "shop/campaigns/list.html", context, page=composing.PAGE, status=status)


def _sums(stand: dict[tuple[str, str | None], int]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for (state, _), number in stand.items():
        sums[state] = sums.get(state, 0) + number
    return sums


async def save_second(request: web.Request) -> web.StreamResponse:
    """What the owner sets for all campaigns."""
    here, said, form = frame.frame_of(request), site.words_of(request), await fields.read(request)

    def write(session: Session) -> None:
        new = Terms(fields.number(form, "second_over"), fields.number(form, "margin"))
        terms.change(session, new, here.shop.id, here.actor)

    try:
        await site.store_of(request).write(write)
    except InvalidError as error:
        words = {
            "second_over": said("Write a whole number, for example 500. Leave it empty if one person is enough."),
            "margin": said("Write a whole number from 1 to 100, for example 60."),
        }[error.field]  # fmt: skip
        return await _list(request, form, {error.field: words}, status=422)
    return await frame.done(request, "/shop/campaigns", said("Saved."))


# ── One of them ─────────────────────────────────────────────────────────────────────────────────────


async def one(request: web.Request) -> web.StreamResponse:
    """A draft as its form; one that was let go as it stands."""
    here, number = frame.frame_of(request), frame.named(request)
    campaign = await site.store_of(request).read(campaigns.get, number, here.shop.id)
    if campaign.state == CampaignState.DRAFT:
        return await composing.shown(request, campaign, composing.filled(campaign, here.shop.timezone), {})
    context = await site.store_of(request).read(_looked, request, campaign.id)
    return await frame.render(request, "shop/campaigns/one.html", context, page=composing.PAGE)


async def progress(request: web.Request) -> web.StreamResponse:
    """How far it is, again and again while it runs; once it is through, the whole page."""
    number = frame.named(request)
    context = await site.store_of(request).read(_looked, request, number)
    answer = await frame.part(request, "shop/campaigns/progress.html", context)
    if context["campaign"].state not in RUNNING:
        answer.headers["HX-Refresh"] = "true"
    return answer


def _looked(session: Session, request: web.Request, number: int) -> dict[str, Any]:
    here, said = frame.frame_of(request), site.words_of(request)
    campaign = campaigns.get(session, number, here.shop.id)
    report = reports.of(session, campaign)
    days = reports.days(session, campaign, here.shop.timezone)
    offer = voucher_programs.get(session, campaign.program_id) if campaign.program_id else None
    return {
        "opened": _opened(said, campaign, report), "margin": terms.of(session).margin, "messengers": facts.messengers(said),
        "campaign": campaign, "report": report, "days": days, "offer": offer, "pace": _pace(session, said, campaign, report, here.shop.timezone),
        "chart": chart.draw([Week(day.day, day.orders, day.clicks) for day in days]),
        "states": facts.states(said), "reasons": facts.reasons(said), "share": lambda value, **more: facts.share(said, value, **more),
        "verdict": lambda found, first, second: facts.verdict(said, found, first, second),
        "names": {actor: _name(session, actor) for actor in (campaign.created_by, campaign.proposed_by, campaign.approved_by) if actor},
        "mine": campaign.proposed_by == here.actor, "advertising": campaign.purpose == Purpose.ADVERTISING,
    }  # fmt: skip


def _opened(said: Words, campaign: Campaign, report: Report) -> list[tuple[str, int]]:
    """What people opened or tapped, as it was called to them."""
    buttons = contents.buttons_of(campaign.buttons)
    called = {f"{links.BUTTON}{place}": one.label(said.language) for place, one in enumerate(buttons)}
    called |= {one.to: one.label(said.language) for one in buttons if one.kind is contents.ButtonKind.LINK}
    return [(called.get(address, address), people) for address, people in report.opened]


def _name(session: Session, actor: str) -> str:
    kind, _, number = actor.partition(":")
    if kind != "staff" or not number.isdecimal():
        return "API"
    try:
        return staff.get(session, int(number)).name
    except NotFoundError:
        return "–"


@dataclass(frozen=True, slots=True)
class Pace:
    """How it goes: people done of all, per second lately, the rest in words; `waits_until` where hours hold it back."""

    done: int
    whole: int
    rate: int
    rest: str
    waits_until: Any


def _pace(session: Session, said: Words, campaign: Campaign, report: Report, zone: str) -> Pace:
    d, moment = deliveries.deliveries.c, now(session)
    lately: int = session.execute(
        select(func.count()).where(
            deliveries.of(deliveries.CAMPAIGN, campaign.id), d.state == deliveries.SENT, d.ended_at > moment - LATELY
        )
    ).scalar_one()
    purpose = Purpose(campaign.purpose)
    opens = manners.opens(purpose, moment, zone, manners.rules(session))
    if opens is None and campaign.send_at is not None and campaign.send_at > moment:
        opens = campaign.send_at
    whole = max(0, report.planned - report.held_out)
    seconds = LATELY.total_seconds()
    return Pace(
        max(0, whole - report.waiting), whole, round(lately / seconds), facts.left(said, report.waiting, lately, seconds),
        opens,
    )  # fmt: skip


# ── Its buttons ─────────────────────────────────────────────────────────────────────────────────────

ACTS: dict[str, Callable[[Session, int, int, str], Any]] = {
    "approve": campaigns.approve, "recall": campaigns.recall, "pause": campaigns.pause, "resume": campaigns.resume,
    "stop": campaigns.stop, "retry": campaigns.retry, "discard": drafts.discard,
}  # fmt: skip


async def act(request: web.Request) -> web.StreamResponse:
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    action = request.match_info["action"]
    found = await site.store_of(request).write(ACTS[action], number, here.shop.id, here.actor)
    words = {
        "approve": said("Approved. It goes out by itself now; you may close this page."),
        "recall": said("It is a draft again."), "pause": said("Paused: nothing more leaves until you go on."),
        "resume": said("It goes on."), "stop": said("Stopped for good: nobody more is written to."),
        "retry": said.plural("{n} person is written to again.", "{n} people are written to again.", found) if action == "retry" else "",
        "discard": said("The draft is thrown away."),
    }[action]  # fmt: skip
    if action == "approve" and found.state == CampaignState.PROPOSED:
        words = said("It is large, so a second person has to approve it. Nothing leaves before that.")
    return await frame.done(request, "/shop/campaigns" if action == "discard" else f"/shop/campaigns/{number}", words)


# ── To take along ───────────────────────────────────────────────────────────────────────────────────


async def export(request: web.Request) -> web.StreamResponse:
    """The report as a book: its figures, its days, everybody in it."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    zone = ZoneInfo(here.shop.timezone)

    def look(session: Session) -> tuple[Report, list[reports.Day], list[reports.Line]]:
        campaign = campaigns.get(session, number, here.shop.id)
        return (
            reports.of(session, campaign), reports.days(session, campaign, here.shop.timezone),
            reports.lines(session, campaign, LINES_MAX),
        )  # fmt: skip

    report, days, lines = await site.store_of(request).read(look)
    why, names = facts.reasons(said), facts.messengers(said)
    figures: list[tuple[str, int]] = [
        (said("Planned"), report.planned), (said("Sent"), report.sent), (said("Held out"), report.held_out),
        (said("Failed"), report.failed), (said("Not known whether it arrived"), report.unknown),
        *((said("Skipped: {why}", why=why.get(key, key)), count) for key, count in report.skipped.items()),
        (said("Opened a link"), report.clicks), (said("Vouchers given"), report.vouchers),
        (said("Vouchers used"), report.redeemed), (said("Bought within 7 days"), report.bought.people),
        (said("Orders"), report.bought.orders), (said("Revenue"), report.bought.revenue),
        (said("Held out who bought"), report.beside.people), (said("Revenue of those held out"), report.beside.revenue),
        (said("Discounts by its vouchers"), report.discounts), (said("Cost of sending"), report.cost),
        *([(said("Telegram's Stars, about"), report.stars)] if report.stars else []),
        *((said("Sent by {messenger}", messenger=names[one.name]), one.sent) for one in report.messengers),
        *((said("Read on {messenger}", messenger=names[one.name]), one.read) for one in report.messengers if one.read is not None),
        (said("Said stop"), report.opted_out), (said("Complained"), report.complained),
    ]  # fmt: skip
    became = {
        "planned": said("waits"), "queued": said("leaves now"), "sent": said("sent"), "failed": said("failed"),
        "unknown": said("not known"), "skipped": said("skipped"), "held_out": said("held out"),
    }  # fmt: skip
    return sheets_out.as_xlsx(f"campaign-{number}", [
        Sheet(said("Figures"), [said("What"), said("How much")], figures),
        Sheet(said("Days"), [said("Day"), said("Sent"), said("Opened a link"), said("Orders")], [
            (_iso(day.day), day.sent, day.clicks, day.orders) for day in days
        ]),
        Sheet(said("People"), [said("Number"), said("Name"), said("Half"), said("What became of it"), said("Why"), said("Left at"), said("Opened a link")], [
            (
                line.customer_id, line.name, line.variant if line.variant in {"A", "B"} else "", became.get(line.state, line.state),
                why.get(line.reason or "", line.reason or ""),
                line.left_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if line.left_at else "", said("yes") if line.clicked else "",
            )
            for line in lines
        ]),
    ])  # fmt: skip


def _iso(day: date) -> str:
    return day.isoformat()
