"""Drafts: a campaign as somebody writes it, before it is let go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from loyalty.customers.customers import LANGUAGES
from loyalty.outreach import templates
from loyalty.outreach.campaigns import campaigns, contents
from loyalty.outreach.campaigns.campaigns import LATE, Campaign, CampaignState
from loyalty.outreach.campaigns.campaigns import campaigns as rows
from loyalty.outreach.campaigns.contents import PICTURES_MAX, Button, Picture
from loyalty.outreach.consents import PURPOSES
from loyalty.outreach.segments import criteria, fields
from loyalty.vouchers import voucher_programs
from store import audit, shops
from store.clock import now
from store.errors import InvalidError, NotFoundError

NAME_CHARS_MAX = 120
HOLD_OUT_MAX = 90
AHEAD_MAX = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody writes of a campaign: `purpose` is care or advertising, the rest as in CampaignRow."""

    name: str
    criteria: Any
    purpose: str
    messages: Mapping[str, str]
    messages_b: Mapping[str, str] = field(default_factory=dict)
    hold_out: int = 0
    send_at: datetime | None = None
    best_hour: bool = False
    program_id: int | None = None
    buttons: Sequence[Button] = ()
    pictures: Sequence[str] | None = None
    """Their addresses; None: as they are."""


def add(session: Session, shop_id: int, draft: Draft, actor: str) -> Campaign:
    """Write a draft. Raises InvalidError (CriteriaError, TemplateError), NotFoundError (shop, programme)."""
    values = _checked(session, shop_id, draft)
    number = session.execute(
        insert(rows)
        .values(
            **values, shop_id=shop_id, state=CampaignState.DRAFT.value, created_at=now(session), created_by=actor, frozen_to=0,
            planned=0, paid=False,
        )
        .returning(rows.c.id)
    ).scalar_one()  # fmt: skip
    audit.record(session, actor, "campaign_added", shop_id, campaign=number, name=values["name"])
    return campaigns.get(session, number)


def change(session: Session, campaign_id: int, shop_id: int, draft: Draft, actor: str) -> Campaign:
    """Write a draft anew. Raises what `add` does, and CampaignStateError once it was let go."""
    campaign = campaigns.drafted(session, campaign_id, shop_id)
    values = _checked(session, shop_id, draft)
    changed = sorted(name for name, value in values.items() if value != getattr(campaign, name))
    if changed:
        campaigns.put(session, campaign_id, **values)
        audit.record(session, actor, "campaign_changed", shop_id, campaign=campaign_id, fields=changed)
    return campaigns.get(session, campaign_id)


def discard(session: Session, campaign_id: int, shop_id: int, actor: str) -> None:
    """Throw a draft away. Raises NotFoundError, CampaignStateError."""
    campaign = campaigns.drafted(session, campaign_id, shop_id)
    session.execute(delete(rows).where(rows.c.id == campaign_id))
    audit.record(session, actor, "campaign_discarded", shop_id, campaign=campaign_id, name=campaign.name)


def _checked(session: Session, shop_id: int, draft: Draft) -> dict[str, Any]:
    shop = shops.get(session, shop_id)
    title = " ".join(draft.name.split())
    if not 1 <= len(title) <= NAME_CHARS_MAX:
        raise InvalidError("name", "length", NAME_CHARS_MAX)
    if draft.purpose not in PURPOSES:
        raise InvalidError("purpose", "unknown", draft.purpose)
    if not 0 <= draft.hold_out <= HOLD_OUT_MAX:
        raise InvalidError("hold_out", "range", draft.hold_out)
    read = criteria.parse(draft.criteria)
    fields.check(read, fields.look(session, shop.timezone))
    if not draft.messages:
        raise InvalidError("messages", "required")
    for place, messages in (("messages", draft.messages), ("messages_b", draft.messages_b)):
        for language, words in messages.items():
            if language not in LANGUAGES:
                raise InvalidError(f"{place}.{language}", "unknown", language)
            templates.check(words, f"{place}.{language}")
            if draft.program_id is None and templates.names(words) & {"voucher", "code", "expires"}:
                raise InvalidError("voucher_program", "required")
    contents.check(draft.buttons, voucher=draft.program_id is not None)
    if contents.claimed(draft.buttons) and any(
        templates.names(words) & {"code", "expires"} for words in (*draft.messages.values(), *draft.messages_b.values())
    ):
        raise InvalidError("buttons", "claim_and_code")
    moment = now(session)
    if draft.send_at is not None and not moment - LATE <= draft.send_at <= moment + AHEAD_MAX:
        raise InvalidError("send_at", "range", draft.send_at)
    if draft.program_id is not None:
        offer = voucher_programs.get(session, draft.program_id)
        if offer.shop_id not in {None, shop_id}:
            raise NotFoundError("voucher_program", draft.program_id)
        if offer.shared:
            raise InvalidError("voucher_program", "unsupported", draft.program_id)
    shown = (
        {} if draft.pictures is None
        else {"pictures": contents.written(contents.check_pictures(session, draft.pictures, "pictures")) or None}
    )  # fmt: skip
    return shown | {
        "name": title, "criteria": criteria.written(read), "purpose": int(PURPOSES[draft.purpose]),
        "messages": dict(draft.messages), "messages_b": dict(draft.messages_b) or None, "hold_out": draft.hold_out,
        "send_at": draft.send_at, "best_hour": draft.best_hour, "program_id": draft.program_id,
        "buttons": contents.written(draft.buttons) or None,
    }  # fmt: skip


def add_picture(
    session: Session,
    campaign_id: int,
    shop_id: int,
    actor: str,
    content: bytes,
    *,
    name: str,
    size: tuple[int, int],
) -> None:
    """Put a JPEG (`size` in px) behind the others of a draft. Raises NotFoundError, CampaignStateError, InvalidError."""
    kept = contents.pictures_of(campaigns.drafted(session, campaign_id, shop_id).pictures)
    if len(kept) >= PICTURES_MAX:
        raise InvalidError("picture", "count", PICTURES_MAX)
    _illustrate(session, campaign_id, shop_id, actor, [*kept, contents.keep(session, content, size, name)])


def drop_picture(session: Session, campaign_id: int, shop_id: int, actor: str, place: int) -> None:
    """Take a picture away from a draft. Raises NotFoundError, CampaignStateError."""
    kept = contents.pictures_of(campaigns.drafted(session, campaign_id, shop_id).pictures)
    _illustrate(session, campaign_id, shop_id, actor, [one for at, one in enumerate(kept) if at != place])


def _illustrate(session: Session, campaign_id: int, shop_id: int, actor: str, pictures: Sequence[Picture]) -> None:
    campaigns.put(session, campaign_id, pictures=contents.written(pictures) or None)
    audit.record(session, actor, "campaign_changed", shop_id, campaign=campaign_id, fields=["pictures"])
