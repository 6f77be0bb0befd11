"""Campaigns as they stand: the list, one while it is sent, what it came to, and its buttons."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from handlers.web import site
from handlers.web.shop import chart, fields, frame, sheets_out
from handlers.web.shop.campaigns import composing
from handlers.web.shop.campaigns import said as facts
from handlers.web.shop.needs import Ask, Need, Severity
from handlers.web.shop.segments import naming
from handlers.web.shop.sheets_out import Sheet
from handlers.words import Words
from loyalty.insights.today import Week
from loyalty.outreach import deliveries, links, manners
from loyalty.outreach.campaigns import campaigns, contents, drafts, reports, terms
from loyalty.outreach.campaigns.campaigns import Campaign, CampaignState, CampaignStateError
from loyalty.outreach.campaigns.reports import Report
from loyalty.outreach.campaigns.terms import Terms
from loyalty.outreach.manners import Reason
from loyalty.outreach.segments.fields import look
from loyalty.vouchers import voucher_programs
from store.clock import now
from store.errors import InvalidError
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
    if campaign.state == CampaignState.PROPOSED:
        # Who is to approve it sees what who wrote it saw.
        form = composing.filled(campaign, here.shop.timezone)
        context |= {"effect": await site.store_of(request).read(composing.effect_of, request, form), "form": form}
    return await frame.render(request, "shop/campaigns/one.html", context, page=composing.PAGE)


async def progress(request: web.Request) -> web.StreamResponse:
    """How far it is, again and again while it runs; once it is through, or a second person has decided, the whole page."""
    number, was = frame.named(request), request.query.get("was")
    context = await site.store_of(request).read(_looked, request, number)
    answer = await frame.part(request, "shop/campaigns/progress.html", context)
    state = context["campaign"].state
    if state not in RUNNING or (was == CampaignState.PROPOSED and state != was):
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
        "who": said("All customers") if campaign.criteria == composing.EVERYBODY
        else naming.summary(said, campaign.criteria, look(session, here.shop.timezone)),
        "campaign": campaign, "report": report, "days": days, "offer": offer, "pace": _pace(session, said, campaign, report, here.shop.timezone),
        "chart": chart.draw([Week(day.day, day.orders, day.clicks) for day in days], beside=True),
        "states": facts.states(said), "reasons": facts.reasons(said), "share": lambda value, **more: facts.share(said, value, **more),
        "verdict": lambda found, first, second: facts.verdict(said, found, first, second),
        "names": {actor: composing.name_of(session, actor) for actor in (campaign.created_by, campaign.proposed_by, campaign.approved_by) if actor},
        "mine": campaign.proposed_by == here.actor, "advertising": campaign.purpose == Purpose.ADVERTISING,
    }  # fmt: skip


def _opened(said: Words, campaign: Campaign, report: Report) -> list[tuple[str, int]]:
    """What people opened or tapped, as it was called to them."""
    buttons = contents.buttons_of(campaign.buttons)
    called = {f"{links.BUTTON}{place}": one.label(said.language) for place, one in enumerate(buttons)}
    called |= {one.to: one.label(said.language) for one in buttons if one.kind is contents.ButtonKind.LINK}
    return [(called.get(address, address), people) for address, people in report.opened]


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
        max(0, whole - report.waiting - report.skipped.get(Reason.STOPPED, 0)), whole, round(lately / seconds), facts.left(said, report.waiting, lately, seconds),
        opens,
    )  # fmt: skip


# ── Its buttons ─────────────────────────────────────────────────────────────────────────────────────

ACTS: dict[str, Callable[[Session, int, int, str], Any]] = {
    "pause": campaigns.pause, "resume": campaigns.resume, "stop": campaigns.stop,
    "retry": campaigns.retry, "discard": drafts.discard,
}  # fmt: skip


async def act(request: web.Request) -> web.StreamResponse:
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    action = request.match_info["action"]
    found = await site.store_of(request).write(ACTS[action], number, here.shop.id, here.actor)
    words = {
        "pause": said("Paused: nothing more leaves until you go on."),
        "resume": said("It goes on."), "stop": said("Stopped for good: nobody more is written to."),
        "retry": said.plural("{n} person is written to again.", "{n} people are written to again.", found) if action == "retry" else "",
        "discard": said("The draft is thrown away."),
    }[action]  # fmt: skip
    return await frame.done(request, "/shop/campaigns" if action == "discard" else f"/shop/campaigns/{number}", words)


async def approve(request: web.Request) -> web.StreamResponse:
    """Let it go, or say yes to what a colleague wants to send, as it was read."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    form, path = await fields.read(request), f"/shop/campaigns/{number}"
    try:
        read = datetime.fromisoformat(form["read"]) if form.get("read") else None
        found = await site.store_of(request).write(campaigns.approve, number, here.shop.id, here.actor, read)
    except (CampaignStateError, ValueError):
        return await frame.done(
            request, path, said("It has changed meanwhile, and nothing was sent. Please look again.")
        )
    words = said("Approved. It goes out by itself now; you may close this page.")
    if found.state == CampaignState.PROPOSED:
        words = said("It is large, so a second person has to approve it. Nothing leaves before that.")
    return await frame.done(request, path, words)


async def refuse(request: web.Request) -> web.StreamResponse:
    """Say no to what a colleague wants to send, and why; or take back what one proposed oneself."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    form, path = await fields.read(request), f"/shop/campaigns/{number}"
    try:
        found = await site.store_of(request).write(
            campaigns.refuse, number, here.shop.id, here.actor, form.get("refusal", "")
        )
    except InvalidError:
        return await frame.done(request, path, said("Say in a few words why not."))
    if found.refused_by != here.actor:
        return await frame.done(request, path, said("It is a draft again."))
    return await frame.done(request, "/shop/campaigns", said("Refused. Whoever wrote it reads why."))


def campaign_waits(session: Session, ask: Ask) -> Need | None:
    """For today's list: what colleagues want to send."""
    here, said = ask.here, ask.said
    waiting = [one for one in campaigns.proposed(session, here.shop.id) if one.proposed_by != here.actor]
    if not waiting:
        return None
    return Need(
        Severity.SOON, "send",
        said.plural("{n} campaign waits for your yes", "{n} campaigns wait for your yes", len(waiting)),
        said("“{name}” goes to many people. Read it, then let it go or say why not.", name=waiting[0].name),
        said("Read it"), here.url(f"/shop/campaigns/{waiting[0].id}"),
    )  # fmt: skip


# ── To take along ───────────────────────────────────────────────────────────────────────────────────


async def export(request: web.Request) -> web.StreamResponse:
    """The report as a book: its figures, its days, everybody in it."""
    here, said, number = frame.frame_of(request), site.words_of(request), frame.named(request)
    zone = ZoneInfo(here.shop.timezone)

    def look(session: Session) -> tuple[Report, list[reports.Day], list[reports.Line], int | None]:
        campaign = campaigns.get(session, number, here.shop.id)
        return (
            reports.of(session, campaign), reports.days(session, campaign, here.shop.timezone),
            reports.lines(session, campaign, LINES_MAX), terms.of(session).margin,
        )  # fmt: skip

    report, days, lines, margin = await site.store_of(request).read(look)
    why, names = facts.reasons(said), facts.messengers(said)
    figures: list[tuple[str, int]] = [
        (said("Planned"), report.planned), (said("Sent"), report.sent), (said("Held out"), report.held_out),
        (said("Failed"), report.failed), (said("Not known whether it arrived"), report.unknown),
        *((said("Skipped: {why}", why=why.get(key, key)), count) for key, count in report.skipped.items()),
        (said("Opened or tapped"), report.clicks), (said("Vouchers given"), report.vouchers),
        (said("Vouchers used"), report.redeemed), (said("Bought within 7 days"), report.bought.people),
        (said("Orders"), report.bought.orders), (said("Revenue"), report.bought.revenue),
        (said("Held out who bought"), report.beside.people), (said("Revenue of those held out"), report.beside.revenue),
        (said("Discounts by its vouchers"), report.discounts), (said("Cost of sending"), report.cost),
        *([] if report.extra is None else [(said("Revenue beyond what those held out let expect"), report.extra)]),
        *([] if margin is None or (profit := report.profit(margin)) is None else [(said("Profit of that"), profit)]),
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
        Sheet(said("Days"), [said("Day"), said("Sent"), said("Opened or tapped"), said("Orders")], [
            (_iso(day.day), day.sent, day.clicks, day.orders) for day in days
        ]),
        Sheet(said("People"), [said("Number"), said("Name"), said("Half"), said("What became of it"), said("Why"), said("Left at"), said("Opened or tapped")], [
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
