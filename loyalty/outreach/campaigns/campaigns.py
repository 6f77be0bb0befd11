"""Campaigns: one message to many. Written as a draft, frozen on approval, sent through deliveries, counted to the đồng.

    draft -> approved -> sending <-> paused                approved, sending, paused -> stopped
      └> proposed ─┘         └─> done -> sending, for those with whom it failed

A large one is only proposed by who lets it go first: a second person approves it, or says why not and it is a draft again,
where the shop has set a size for that.

On approval who is meant is frozen (`freeze`): later changes of a customer make no difference to who is in it, only to whether
they may still be written to. Whoever is held out gets nothing and is what the others are compared with.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, and_, exists, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.outreach import deliveries
from loyalty.outreach.campaigns import costs, terms
from loyalty.outreach.segments import criteria, segments
from store import audit, notices, shops, staff
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ConflictError, InvalidError, NotFoundError
from store.signals import signal

TOPIC = "campaigns"
LATE = timedelta(minutes=10)
"""How far a schedule may lie back: a later one is refused, for an offer of this morning is no offer of tonight."""
SWEPT = timedelta(days=7)
REFUSAL_CHARS_MAX = 200


class CampaignState(StrEnum):
    DRAFT = "draft"
    PROPOSED = "proposed"
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
    messages_b: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    """What a half of the people hears instead, to see which words do better."""
    hold_out: Mapped[int]
    """Per cent of the people who get nothing."""
    send_at: Mapped[datetime | None] = mapped_column(UtcTime)
    best_hour: Mapped[bool]
    """Each hears it at their own best hour of the week that follows (see best_hours)."""
    program_id: Mapped[int | None] = mapped_column(ForeignKey("voucher_programs.id"))
    """A voucher of it goes to each; where a button claims it, only to who taps that."""
    pictures: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    """Above the words (contents.Picture)."""
    buttons: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    """Below the words (contents.Button)."""
    state: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[str | None] = mapped_column(Text)
    proposed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    refused_by: Mapped[str | None] = mapped_column(Text)
    refusal: Mapped[str | None] = mapped_column(Text)
    """Why somebody else refused it when it was proposed last, for who writes it anew."""
    approved_at: Mapped[datetime | None] = mapped_column(UtcTime)
    approved_by: Mapped[str | None] = mapped_column(Text)
    frozen_to: Mapped[int] = mapped_column(BigId, autoincrement=False)
    """The last customer who was looked at when it was frozen."""
    frozen_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When who is meant was written down to the last."""
    planned: Mapped[int]
    prices: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True))
    """đồng a message by messenger, as they were when it was approved."""
    paid: Mapped[bool]
    """Telegram is paid to take it faster than is free, while the shop wants that."""
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
    messages_b: dict[str, str] | None
    hold_out: int
    send_at: datetime | None
    best_hour: bool
    program_id: int | None
    pictures: list[dict[str, Any]] | None
    buttons: list[dict[str, Any]] | None
    state: str
    created_at: datetime
    created_by: str
    proposed_by: str | None
    proposed_at: datetime | None
    refused_by: str | None
    refusal: str | None
    approved_at: datetime | None
    approved_by: str | None
    frozen_to: int
    frozen_at: datetime | None
    planned: int
    prices: dict[str, int] | None
    paid: bool
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


# ── Letting it go, and stopping it ─────────────────────────────────────────────────────────────────


def approve(
    session: Session, campaign_id: int, shop_id: int, actor: str, read: datetime | None = None
) -> Campaign:  # fmt: skip
    """Let a draft go: who is meant is frozen from now on, and it is sent at its time. Approved already: as it stands.

    One to more people than `second_over` is only proposed, until somebody else approves it too. They may name when what they
    have `read` was proposed: one that was taken back or changed since isn't let go. Raises NotFoundError, CampaignStateError,
    LateError.
    """
    campaign = get(session, campaign_id, shop_id, lock=True)
    if read is not None and campaign.proposed_at != read:
        raise CampaignStateError(campaign_id, campaign.state)
    if campaign.state in {CampaignState.APPROVED, CampaignState.SENDING, CampaignState.DONE}:
        return campaign
    if campaign.state not in {CampaignState.DRAFT, CampaignState.PROPOSED}:
        raise CampaignStateError(campaign_id, campaign.state)
    moment = now(session)
    if campaign.send_at is not None and campaign.send_at < moment - LATE:
        raise LateError(f"{campaign.send_at} has passed")
    if campaign.state == CampaignState.DRAFT and _large(session, campaign):
        return _write(
            session, campaign, actor, state=CampaignState.PROPOSED.value, proposed_by=actor, proposed_at=moment,
            refused_by=None, refusal=None,
        )  # fmt: skip
    if campaign.state == CampaignState.PROPOSED and campaign.proposed_by == actor:
        return campaign
    cost = costs.of(session, shop_id)
    _tell(session, campaign, actor, "campaign_approved")
    return _write(
        session, campaign, actor, state=CampaignState.APPROVED.value, approved_at=moment, approved_by=actor,
        prices=dict(cost.prices), paid=cost.paid, refused_by=None, refusal=None,
    )  # fmt: skip


def _large(session: Session, campaign: Campaign) -> bool:
    most = terms.of(session).second_over
    if most is None:
        return False
    zone = shops.get(session, campaign.shop_id).timezone
    return segments.preview(session, criteria.parse(campaign.criteria), zone, 1).count > most


def refuse(session: Session, campaign_id: int, shop_id: int, actor: str, why: str = "") -> Campaign:
    """Make a draft again of what is only proposed: who proposed it takes it back, anybody else says why, and they are told.

    Raises InvalidError("refusal"), NotFoundError, CampaignStateError.
    """
    campaign = get(session, campaign_id, shop_id, lock=True)
    if campaign.state == CampaignState.DRAFT:
        return campaign
    if campaign.state != CampaignState.PROPOSED:
        raise CampaignStateError(campaign_id, campaign.state)
    if campaign.proposed_by == actor:
        return _write(session, campaign, actor, state=CampaignState.DRAFT.value, proposed_by=None, proposed_at=None)
    why = why.strip()
    if not 1 <= len(why) <= REFUSAL_CHARS_MAX:
        raise InvalidError("refusal", "length", REFUSAL_CHARS_MAX)
    _tell(session, campaign, actor, "campaign_refused", refusal=why)
    values = {"proposed_by": None, "proposed_at": None, "refused_by": actor, "refusal": why}
    put(session, campaign_id, state=CampaignState.DRAFT.value, **values)
    audit.record(session, actor, "campaign_refused", shop_id, campaign=campaign_id, refusal=why)
    return get(session, campaign_id)


def _tell(session: Session, campaign: Campaign, actor: str, kind: str, **params: Any) -> None:
    """Tell who proposed it what a second person has decided."""
    asked_by, by = ((who or "").removeprefix("staff:") for who in (campaign.proposed_by, actor))
    if asked_by.isdecimal() and by.isdecimal():
        notices.tell(
            session, kind, staff_id=int(asked_by), shop_id=campaign.shop_id, campaign=campaign.name,
            by=staff.get(session, int(by)).name, **params,
        )  # fmt: skip


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


def retry(session: Session, campaign_id: int, shop_id: int, actor: str) -> int:
    """Write once more to those with whom it failed, and to nobody else; how many they are. Who has blocked the shop, and of
    whom nobody knows whether they heard it, isn't among them. Raises NotFoundError, CampaignStateError.
    """
    campaign = get(session, campaign_id, shop_id, lock=True)
    if campaign.state not in {CampaignState.SENDING, CampaignState.DONE}:
        raise CampaignStateError(campaign_id, campaign.state)
    count = deliveries.retry(session, deliveries.CAMPAIGN, campaign_id)
    if count and campaign.state == CampaignState.DONE:
        put(session, campaign_id, state=CampaignState.SENDING.value, ended_at=None)
    if count:
        audit.record(session, actor, "campaign_retried", shop_id, campaign=campaign_id, people=count)
    return count


def begin(session: Session, campaign_id: int) -> bool:
    """Start sending a frozen one whose time has come; whether it has begun now."""
    campaign = get(session, campaign_id, lock=True)
    if campaign.state != CampaignState.APPROVED or campaign.frozen_at is None:
        return False
    moment = now(session)
    if campaign.send_at is not None and campaign.send_at > moment:
        return False
    put(session, campaign_id, state=CampaignState.SENDING.value, started_at=moment)
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
    put(session, campaign_id, state=CampaignState.DONE.value, ended_at=now(session))
    return True


# ── Looking ─────────────────────────────────────────────────────────────────────────────────────────


def get(session: Session, campaign_id: int, shop_id: int | None = None, *, lock: bool = False) -> Campaign:
    """A campaign (of one shop only, where it is named); raises NotFoundError."""
    query = select(*_FIELDS).where(campaigns.c.id == campaign_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None or (shop_id is not None and row.shop_id != shop_id):
        raise NotFoundError("campaign", campaign_id)
    return Campaign(*row)


def drafted(session: Session, campaign_id: int, shop_id: int) -> Campaign:
    """A shop's draft, its row locked. Raises NotFoundError, CampaignStateError."""
    campaign = get(session, campaign_id, shop_id, lock=True)
    if campaign.state != CampaignState.DRAFT:
        raise CampaignStateError(campaign_id, campaign.state)
    return campaign


def running(session: Session) -> list[Campaign]:
    """Those with something to do now, the oldest first: to be frozen, begun, sent or ended."""
    c, d, moment = campaigns.c, deliveries.deliveries.c, now(session)
    planned = exists().where(d.source == deliveries.CAMPAIGN, d.source_id == c.id, d.state == deliveries.PLANNED)
    queued = exists().where(d.source == deliveries.CAMPAIGN, d.source_id == c.id, d.state == deliveries.QUEUED)
    begins = or_(c.frozen_at.is_(None), c.send_at.is_(None), c.send_at <= moment)
    goes_on = or_(planned.where(d.due_at <= moment), ~or_(planned, queued))
    rows = session.execute(
        select(*_FIELDS)
        .where(or_(and_(c.state == CampaignState.APPROVED, begins), and_(c.state == CampaignState.SENDING, goes_on)))
        .order_by(c.id)
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


def proposed(session: Session, shop_id: int) -> list[Campaign]:
    """Those of a shop that wait for a second person, the oldest first."""
    waits = (campaigns.c.shop_id == shop_id, campaigns.c.state == CampaignState.PROPOSED)
    return [Campaign(*row) for row in session.execute(select(*_FIELDS).where(*waits).order_by(campaigns.c.id))]


def _write(session: Session, campaign: Campaign, actor: str, **values: Any) -> Campaign:
    put(session, campaign.id, **values)
    audit.record(
        session, actor, f"campaign_{values['state']}", campaign.shop_id, campaign=campaign.id,
        changed={"state": [campaign.state, values["state"]]},
    )  # fmt: skip
    return get(session, campaign.id)


def put(session: Session, campaign_id: int, **values: Any) -> None:
    """Write columns of a campaign whose row is locked."""
    session.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(**values))
    signal(session, TOPIC)
