"""Campaigns over the API: written, let go, stopped, and what they came to."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from handlers.api.bodies import Body, Moment, RowNumber, example
from handlers.api.calls import Answer, Ask, Call
from loyalty.outreach.campaigns import campaigns, drafts, reports
from loyalty.outreach.campaigns.campaigns import Campaign, CampaignState
from loyalty.outreach.campaigns.contents import BUTTONS_MAX, PICTURES_MAX, PLACES, Button, ButtonKind
from loyalty.outreach.campaigns.drafts import HOLD_OUT_MAX, NAME_CHARS_MAX, Draft
from store.outbox import Purpose

GROUP = "Outreach"
MESSAGE_WORDS = (
    "A template by language, `vi` and `en`; who speaks another one gets the first. Plain text with Jinja's `{{ name }}`, "
    "`{{ points }}`, `{{ tier }}`, `{{ shop }}`, with a voucher also `{{ code }}`; `{% if … %}`, no loops. Web addresses become "
    "short links of the shop's own and are counted."
)


class NewButton(Body):
    kind: ButtonKind = Field(
        description="link: opens an address, by a short link. open: one of the chat's own places. claim: hands out the "
        "campaign's voucher to who asks for it, and to nobody else. reply: says its words to the shop, which opens a request."
    )
    words: dict[str, str] = Field(description="What it says by language, `vi` and `en`, at most 40 letters.")
    to: str = Field(default="", description=f"The address of a link; of `open` one of {', '.join(PLACES)}.")


class NewCampaign(Body):
    model_config = example({
        "name": "We miss you", "criteria": {"field": "days_since_last_order", "op": ">", "value": 60},
        "purpose": "advertising", "messages": {"vi": "{{ name }} ơi, lâu rồi không gặp!", "en": "We miss you, {{ name }}!"},
        "hold_out": 10, "voucher_program": 7,
    })  # fmt: skip

    name: str = Field(min_length=1, max_length=NAME_CHARS_MAX)
    criteria: dict[str, Any] = Field(description="Who is meant, as in /segments/preview.")
    purpose: Literal["care", "advertising"] = Field(
        description="advertising: with consent, 07:00 to 22:00, three in 24 hours. care: until the customer stops it."
    )
    messages: dict[str, str] = Field(min_length=1, description=MESSAGE_WORDS)
    messages_b: dict[str, str] | None = Field(
        default=None, description="Other words, which a half of the people gets instead; the report compares the two."
    )
    hold_out: int = Field(default=0, ge=0, le=HOLD_OUT_MAX, description="Per cent of the people who get nothing.")
    send_at: Moment | None = Field(default=None, description="When it is to begin; at once where it is left out.")
    best_hour: bool = Field(
        default=False,
        description="Each gets it in their own best hour of the week that follows, the shop's where theirs isn't known.",
    )
    voucher_program: RowNumber | None = Field(default=None, description="A voucher of it goes to each.")
    buttons: list[NewButton] = Field(
        default=[], max_length=BUTTONS_MAX, description="Below the words, above the one that stops such messages."
    )
    pictures: list[str] = Field(
        default=[],
        max_length=PICTURES_MAX,
        description="By their `id` (see /media). One stands above the words; several come as an album before them.",
    )


class Report(BaseModel):
    """planned = held_out + sent + failed + unknown + all skipped once the campaign is done."""

    planned: int
    held_out: int
    sent: int
    failed: int
    unknown: int = Field(description="The messenger never said whether it took them; they aren't sent again.")
    skipped: dict[str, int] = Field(
        description="By reason: no_consent, opted_out, complaint_open, frequency_cap, no_messenger, blocked, gone, "
        "no_voucher, stopped."
    )
    opted_out: int = Field(description="People who said stop within 7 days after it.")
    clicks: int = Field(description="People who opened a link or tapped a button.")
    redeemed: int = Field(description="Vouchers of it that were used.")
    orders: int = Field(description="Orders of those it was sent to, within 7 days.")
    revenue: int = Field(description="đồng of those orders, refunds taken off.")
    cost: int = Field(
        description="đồng that the messengers charge, at the shop's prices of the day when it was approved."
    )
    stars: int = Field(description="Telegram's Stars for what went faster than is free, about.")


class Answered(BaseModel):
    model_config = example({
        "id": 12, "name": "We miss you", "purpose": "advertising", "state": "done", "hold_out": 10, "send_at": None, "voucher_program": 7, "report": {
            "planned": 412, "held_out": 41, "sent": 350, "failed": 1, "unknown": 0, "skipped": {"no_consent": 20},
            "opted_out": 1,
            "clicks": 88, "redeemed": 31, "orders": 47, "revenue": 4_120_000, "cost": 0, "stars": 0,
        },
    })  # fmt: skip

    id: int
    name: str
    purpose: Literal["care", "advertising"]
    state: CampaignState
    hold_out: int
    send_at: Moment | None = None
    voucher_program: int | None = None
    report: Report


def _answered(session: Session, campaign: Campaign) -> Answered:
    found = reports.of(session, campaign)
    return Answered(
        id=campaign.id,
        name=campaign.name,
        purpose="advertising" if campaign.purpose == Purpose.ADVERTISING else "care",
        state=CampaignState(campaign.state),
        hold_out=campaign.hold_out,
        send_at=campaign.send_at,
        voucher_program=campaign.program_id,
        report=Report(
            planned=found.planned, held_out=found.held_out, sent=found.sent, failed=found.failed,
            unknown=found.unknown, skipped=found.skipped, opted_out=found.opted_out, clicks=found.clicks, redeemed=found.redeemed,
            orders=found.bought.orders, revenue=found.bought.revenue, cost=found.cost,
            stars=found.stars,
        ),
    )  # fmt: skip


async def add(ask: Ask, body: NewCampaign) -> Answer:
    def rule(session: Session) -> Answered:
        draft = Draft(
            body.name, body.criteria, body.purpose, body.messages, body.messages_b or {}, body.hold_out, body.send_at,
            body.best_hour, body.voucher_program, [Button(one.kind, one.words, one.to) for one in body.buttons],
            body.pictures,
        )  # fmt: skip
        return _answered(session, drafts.add(session, ask.shop_id, draft, ask.actor))

    return 201, await ask.write(rule)


async def get(ask: Ask) -> Answer:
    number = ask.number("campaign")
    return 200, await ask.report(lambda session: _answered(session, campaigns.get(session, number, ask.shop_id)))


async def _act(ask: Ask, do: Callable[[Session, int, int, str], Campaign]) -> Answer:
    number = ask.number("campaign")
    return 200, await ask.write(lambda session: _answered(session, do(session, number, ask.shop_id, ask.actor)))


async def approve(ask: Ask) -> Answer:
    return await _act(ask, campaigns.approve)


async def pause(ask: Ask) -> Answer:
    return await _act(ask, campaigns.pause)


async def resume(ask: Ask) -> Answer:
    return await _act(ask, campaigns.resume)


async def stop(ask: Ask) -> Answer:
    return await _act(ask, campaigns.stop)


async def retry(ask: Ask) -> Answer:
    number = ask.number("campaign")

    def rule(session: Session) -> Answered:
        campaigns.retry(session, number, ask.shop_id, ask.actor)
        return _answered(session, campaigns.get(session, number))

    return 200, await ask.write(rule)


CALLS = (
    Call(
        "POST", "/campaigns", GROUP, "Write a campaign", add, {201: Answered}, body=NewCampaign, refusals=["not_found"],
        words="It is a draft: nothing is sent until it is approved.",
    ),
    Call("GET", "/campaigns/{id}", GROUP, "Read a campaign and its report", get, {200: Answered}, refusals=["not_found"]),
    Call(
        "POST", "/campaigns/{id}/approve", GROUP, "Let a campaign go", approve, {200: Answered},
        refusals=["not_found", "campaign_state", "campaign_late"],
        words="Who is meant is frozen now, and written to at its time. Approving twice changes nothing. Where the shop asks for "
        "a second person, a large one is only proposed by this, until somebody else approves it in the console.",
    ),
    Call(
        "POST", "/campaigns/{id}/pause", GROUP, "Hold a campaign", pause, {200: Answered},
        refusals=["not_found", "campaign_state"], words="What has not left yet waits.",
    ),
    Call(
        "POST", "/campaigns/{id}/resume", GROUP, "Go on with a campaign", resume, {200: Answered},
        refusals=["not_found", "campaign_state"],
    ),
    Call(
        "POST", "/campaigns/{id}/retry", GROUP, "Write again to those with whom it failed", retry, {200: Answered},
        refusals=["not_found", "campaign_state"], words="To nobody else, and not to who has blocked the bot.",
    ),
    Call(
        "POST", "/campaigns/{id}/stop", GROUP, "End a campaign", stop, {200: Answered},
        refusals=["not_found", "campaign_state"], words="Nobody more is written to, for good.",
    ),
)  # fmt: skip
