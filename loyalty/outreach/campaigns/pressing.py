"""Pressing: what becomes of a tap on a button below a campaign's message."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.outreach import deliveries, links
from loyalty.outreach.campaigns import campaigns, contents
from loyalty.outreach.campaigns.contents import Button, ButtonKind
from loyalty.vouchers import vouchers
from loyalty.vouchers.vouchers import Voucher
from store.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button that its reader tapped; `voucher`: what a claim gave them."""

    button: Button
    shop_id: int
    voucher: Voucher | None = None


def press(session: Session, delivery_id: int, place: int, customer_id: int) -> Pressed:
    """A button below a campaign's message was tapped. A claim gives its voucher once, however often it is tapped.

    Raises NotFoundError where it isn't theirs or is no button, ConflictError where there is no voucher left for them.
    """
    d = deliveries.deliveries.c
    row = session.execute(
        select(d.source_id, d.customer_id).where(d.id == delivery_id, d.source == deliveries.CAMPAIGN).with_for_update()
    ).first()
    if row is None or customers.resolve(session, row.customer_id) != customers.resolve(session, customer_id):
        raise NotFoundError("delivery", delivery_id)
    campaign = campaigns.get(session, row.source_id)
    buttons = contents.buttons_of(campaign.buttons)
    if place >= len(buttons):
        raise NotFoundError("button", place)
    voucher = None
    if buttons[place].kind is ButtonKind.CLAIM and campaign.program_id is not None:
        key = f"{deliveries.CAMPAIGN}:{campaign.id}:{row.customer_id}"
        voucher = vouchers.issue(session, campaign.program_id, row.customer_id, key=key)
        deliveries.attach(session, delivery_id, voucher.id)
    links.tapped(session, delivery_id, place)
    return Pressed(buttons[place], campaign.shop_id, voucher)
