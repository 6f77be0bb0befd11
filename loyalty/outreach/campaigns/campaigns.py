"""Campaigns: one message to many. Written as a draft, frozen on approval, sent through deliveries, counted to the đồng.

    draft -> approved -> sending <-> paused                approved, sending, paused -> stopped
                            └─> done

On approval who is meant is frozen (`freeze`): later changes of a customer make no difference to who is in it, only to whether
they may still be written to. Whoever is held out gets nothing and is what the others are compared with.
"""

import hashlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, exists, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers.customers import LANGUAGES, customers
from loyalty.outreach import deliveries, templates
from loyalty.outreach.deliveries import HELD_OUT
from loyalty.outreach.segments import criteria, fields
from loyalty.vouchers import voucher_programs
from store import audit, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.outbox import Purpose
from store.signals import signal

TOPIC = "campaigns"
NAME_CHARS_MAX = 120
HOLD_OUT_MAX = 90
FREEZES = 2_000
"""People written down in one commit."""
LATE = timedelta(minutes=10)
"""How far a schedule may lie back: a later one is refused, for an offer of this morning is no offer of tonight."""
SWEPT = timedelta(days=7)
AHEAD_MAX = timedelta(days=366)
PURPOSES = {"care": Purpose.CARE, "advertising": Purpose.ADVERTISING}


class CampaignState(StrEnum):
    DRAFT = "draft"
    APPROVED = "approved"
    SENDING = "sending"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


class CampaignRow(Base):
    __tablename__ = "campaigns"
    __table_args__ = (
        Index("ix_campaigns_shop", "shop_id", "id"),
        Index(
            "ix_campaigns_running", "id",
            sqlite_where=text("state IN ('approved', 'sending')"),
            postgresql_where=text("state IN ('approved', 'sending')"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    name: Mapped[str] = mapped_column(Text)
    criteria: Mapped[dict[str, Any]] = mapped_column(JSON)
    purpose: Mapped[int]
    messages: Mapped[dict[str, str]] = mapped_column(JSON)
    """A template by language."""
    hold_out: Mapped[int]
    """Per cent of the people who get nothing."""
    send_at: Mapped[datetime | None] = mapped_column(UtcTime)
    program_id: Mapped[int | None] = mapped_column(ForeignKey("voucher_programs.id"))
    """A voucher of it goes to each."""
    state: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(Text)
    approved_at: Mapped[datetime | None] = mapped_column(UtcTime)
    approved_by: Mapped[str | None] = mapped_column(Text)
    frozen_to: Mapped[int] = mapped_column(BigId, autoincrement=False)
    """The last customer who was looked at when it was frozen."""
    frozen_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When who is meant was written down to the last."""
    planned: Mapped[int]
    started_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as rules give it out; see CampaignRow."""

    id: int
    shop_id: int
    name: str
    criteria: dict[str, Any]
    purpose: int
    messages: dict[str, str]
    hold_out: int
    send_at: datetime | None
    program_id: int | None
    state: str
    created_at: datetime
    created_by: str
    approved_at: datetime | None
    approved_by: str | None
    frozen_to: int
    frozen_at: datetime | None
    planned: int
    started_at: datetime | None
    ended_at: datetime | None


class CampaignStateError(ConflictError):
    """The campaign's state forbids it."""

    code = "campaign_state"

    def __init__(self, campaign_id: int, state: str) -> None:
        super().__init__(f"campaign {campaign_id} is {state}")
        self.state = state


class LateError(ConflictError):
    """Its time has passed."""

    code = "campaign_late"


campaigns = table(CampaignRow)
_FIELDS = tuple(campaigns.c[name] for name in Campaign.__dataclass_fields__)


# ── Writing it ──────────────────────────────────────────────────────────────────────────────────────


def add(
    session: Session,
    shop_id: int,
    *,
    name: str,
    criteria_: Any,
    purpose: str,
    messages: Mapping[str, str],
    hold_out: int = 0,
    send_at: datetime | None = None,
    program_id: int | None = None,
    actor: str,
) -> Campaign:
    """Write a draft. Raises InvalidError (CriteriaError, TemplateError), NotFoundError (shop, programme)."""
    values = _checked(session, shop_id, name, criteria_, purpose, messages, hold_out, send_at, program_id)
    number = session.execute(
        insert(campaigns)
        .values(
            **values, shop_id=shop_id, state=CampaignState.DRAFT.value, created_at=now(session), created_by=actor, frozen_to=0,
            planned=0,
        )
        .returning(campaigns.c.id)
    ).scalar_one()  # fmt: skip
    audit.record(session, actor, "campaign_added", shop_id, campaign=number, name=values["name"])
    return get(session, number)


def _checked(
    session: Session,
    shop_id: int,
    name: str,
    criteria_: Any,
    purpose: str,
    messages: Mapping[str, str],
    hold_out: int,
    send_at: datetime | None,
    program_id: int | None,
) -> dict[str, Any]:
    shop = shops.get(session, shop_id)
    title = " ".join(name.split())
    if not 1 <= len(title) <= NAME_CHARS_MAX:
        raise InvalidError("name", "length", NAME_CHARS_MAX)
    if purpose not in PURPOSES:
        raise InvalidError("purpose", "unknown", purpose)
    if not 0 <= hold_out <= HOLD_OUT_MAX:
        raise InvalidError("hold_out", "range", hold_out)
    read = criteria.parse(criteria_)
    fields.check(read, fields.look(session, shop.timezone))
    if not messages:
        raise InvalidError("messages", "required")
    for language, words in messages.items():
        if language not in LANGUAGES:
            raise InvalidError(f"messages.{language}", "unknown", language)
        templates.check(words, f"messages.{language}")
        if program_id is None and templates.names(words) & {"voucher", "code", "expires"}:
            raise InvalidError("voucher_program", "required")
    moment = now(session)
    if send_at is not None and not moment - LATE <= send_at <= moment + AHEAD_MAX:
        raise InvalidError("send_at", "range", send_at)
    if program_id is not None:
        offer = voucher_programs.get(session, program_id)
        if offer.shop_id not in {None, shop_id}:
            raise NotFoundError("voucher_program", program_id)
        if offer.shared:
            raise InvalidError("voucher_program", "unsupported", program_id)
    return {
        "name": title, "criteria": criteria.written(read), "purpose": int(PURPOSES[purpose]), "messages": dict(messages),
        "hold_out": hold_out, "send_at": send_at, "program_id": program_id,
    }  # fmt: skip


# ── Letting it go, and stopping it ─────────────────────────────────────────────────────────────────


def approve(session: Session, campaign_id: int, shop_id: int, actor: str) -> Campaign:
    """Let a draft go: who is meant is frozen from now on, and it is sent at its time. Approved already: as it stands.

    Raises NotFoundError, CampaignStateError, LateError.
    """
    campaign = get(session, campaign_id, shop_id, lock=True)
    if campaign.state in {CampaignState.APPROVED, CampaignState.SENDING, CampaignState.DONE}:
        return campaign
    if campaign.state != CampaignState.DRAFT:
        raise CampaignStateError(campaign_id, campaign.state)
    moment = now(session)
    if campaign.send_at is not None and campaign.send_at < moment - LATE:
        raise LateError(f"{campaign.send_at} has passed")
    return _write(session, campaign, actor, state=CampaignState.APPROVED.value, approved_at=moment, approved_by=actor)


def pause(session: Session, campaign_id: int, shop_id: int, actor: str) -> Campaign:
    """Send no more of it until it goes on; what is in the outbox and hasn't left waits too."""
    campaign = get(session, campaign_id, shop_id, lock=True)
    if campaign.state == CampaignState.PAUSED:
        return campaign
    if campaign.state not in {CampaignState.APPROVED, CampaignState.SENDING}:
        raise CampaignStateError(campaign_id, campaign.state)
    deliveries.take_back(session, deliveries.CAMPAIGN, campaign_id)
    return _write(session, campaign, actor, state=CampaignState.PAUSED.value)


def resume(session: Session, campaign_id: int, shop_id: int, actor: str) -> Campaign:
    """Go on with a paused one."""
    campaign = get(session, campaign_id, shop_id, lock=True)
    if campaign.state in {CampaignState.APPROVED, CampaignState.SENDING}:
        return campaign
    if campaign.state != CampaignState.PAUSED:
        raise CampaignStateError(campaign_id, campaign.state)
    state = CampaignState.SENDING if campaign.started_at else CampaignState.APPROVED
    return _write(session, campaign, actor, state=state.value)


def stop(session: Session, campaign_id: int, shop_id: int, actor: str) -> Campaign:
    """End it for good: nobody more is written to."""
    campaign = get(session, campaign_id, shop_id, lock=True)
    if campaign.state == CampaignState.STOPPED:
        return campaign
    if campaign.state not in {CampaignState.APPROVED, CampaignState.SENDING, CampaignState.PAUSED}:
        raise CampaignStateError(campaign_id, campaign.state)
    deliveries.take_back(session, deliveries.CAMPAIGN, campaign_id)
    return _write(session, campaign, actor, state=CampaignState.STOPPED.value, ended_at=now(session))


def begin(session: Session, campaign_id: int) -> bool:
    """Start sending a frozen one whose time has come; whether it has begun now."""
    campaign = get(session, campaign_id, lock=True)
    if campaign.state != CampaignState.APPROVED or campaign.frozen_at is None:
        return False
    moment = now(session)
    if campaign.send_at is not None and campaign.send_at > moment:
        return False
    _set(session, campaign_id, state=CampaignState.SENDING.value, started_at=moment)
    return True


def finish(session: Session, campaign_id: int) -> bool:
    """End one of which nothing is left to send or to hear of; whether it ended now."""
    campaign = get(session, campaign_id, lock=True)
    d = deliveries.deliveries.c
    waiting = (
        select(d.id)
        .where(deliveries.of(deliveries.CAMPAIGN, campaign_id), d.state.in_((deliveries.PLANNED, deliveries.QUEUED)))
        .limit(1)
    )
    if campaign.state != CampaignState.SENDING or session.execute(waiting).first() is not None:
        return False
    _set(session, campaign_id, state=CampaignState.DONE.value, ended_at=now(session))
    return True


# ── Who is in it ────────────────────────────────────────────────────────────────────────────────────


def freeze(session: Session, campaign_id: int) -> Generator[int, None, None]:
    """Write down who is meant, some thousands in a commit; yields how many there are so far. For `store.stream`.

    It goes on where it stopped, be it by a crash, and ends at once when the campaign was stopped or paused.
    """
    while True:
        campaign = get(session, campaign_id, lock=True)
        if campaign.state != CampaignState.APPROVED or campaign.frozen_at is not None:
            return
        assert campaign.approved_at is not None
        shop = shops.get(session, campaign.shop_id)
        seen = fields.look(session, shop.timezone, campaign.approved_at)
        fits = fields.where(criteria.parse(campaign.criteria), seen)
        c = customers.c
        page = session.execute(
            select(c.id)
            .select_from(seen.source)
            .where(c.merged_into.is_(None), c.erased_at.is_(None), fits, c.id > campaign.frozen_to)
            .order_by(c.id)
            .limit(FREEZES)
        ).scalars().all()  # fmt: skip
        deliveries.plan(
            session, deliveries.CAMPAIGN, campaign_id, Purpose(campaign.purpose),
            [(number, _variant(campaign, number)) for number in page],
            due_at=campaign.send_at or campaign.approved_at,
        )  # fmt: skip
        values: dict[str, Any] = {"planned": campaign.planned + len(page)}
        values |= {"frozen_to": page[-1]} if page else {}
        values |= {"frozen_at": now(session)} if len(page) < FREEZES else {}
        _set(session, campaign_id, **values)
        yield values["planned"]


def _variant(campaign: Campaign, customer_id: int) -> str:
    """Which part of the people somebody belongs to: by a hash of the campaign and the customer, so that it is the same
    whenever and wherever it is asked, and other people are held out of each campaign.
    """
    drawn = hashlib.blake2b(f"{campaign.id}:{customer_id}".encode(), digest_size=8).digest()
    share = int.from_bytes(drawn) % 10_000
    return HELD_OUT if share < campaign.hold_out * 100 else "A"


# ── Looking ─────────────────────────────────────────────────────────────────────────────────────────


def get(session: Session, campaign_id: int, shop_id: int | None = None, *, lock: bool = False) -> Campaign:
    """A campaign (of one shop only, where it is named); raises NotFoundError."""
    query = select(*_FIELDS).where(campaigns.c.id == campaign_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None or (shop_id is not None and row.shop_id != shop_id):
        raise NotFoundError("campaign", campaign_id)
    return Campaign(*row)


def running(session: Session) -> list[Campaign]:
    """Those that are to be frozen or sent, the oldest first."""
    rows = session.execute(
        select(*_FIELDS)
        .where(campaigns.c.state.in_((CampaignState.APPROVED, CampaignState.SENDING)))
        .order_by(campaigns.c.id)
    )
    return [Campaign(*row) for row in rows]


def to_sweep(session: Session) -> list[int]:
    """Stopped ones with people who are still planned: they are given up, some at a time."""
    d = deliveries.deliveries.c
    planned = exists().where(
        d.source == deliveries.CAMPAIGN, d.source_id == campaigns.c.id, d.state == deliveries.PLANNED
    )
    lately = campaigns.c.ended_at > now(session) - SWEPT
    query = select(campaigns.c.id).where(campaigns.c.state == CampaignState.STOPPED, lately, planned)
    return list(session.execute(query).scalars())


def of_shop(session: Session, shop_id: int, limit: int = 50, before: int | None = None) -> list[Campaign]:
    """A shop's campaigns, newest first."""
    query = select(*_FIELDS).where(campaigns.c.shop_id == shop_id)
    if before is not None:
        query = query.where(campaigns.c.id < before)
    return [Campaign(*row) for row in session.execute(query.order_by(campaigns.c.id.desc()).limit(limit))]


def _write(session: Session, campaign: Campaign, actor: str, **values: Any) -> Campaign:
    _set(session, campaign.id, **values)
    audit.record(
        session, actor, f"campaign_{values['state']}", campaign.shop_id, campaign=campaign.id,
        changed={"state": [campaign.state, values["state"]]},
    )  # fmt: skip
    return get(session, campaign.id)


def _set(session: Session, campaign_id: int, **values: Any) -> None:
    session.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(**values))
    signal(session, TOPIC)
