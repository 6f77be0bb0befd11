"""The demo's post: what a campaign or a journey says is in its reader's chat at once, as the program would bring it there."""

import json
from collections.abc import Sequence

from sqlalchemy.orm import Session

from loyalty.outreach import deliveries, manners
from loyalty.outreach.campaigns.contents import Button
from loyalty.outreach.deliveries import Delivery
from loyalty.outreach.manners import Reach
from loyalty.points import ledger
from loyalty.vouchers import voucher_programs, vouchers
from store.outbox import Purpose

ACCOUNT = "web"


def reach(session: Session, due: Sequence[Delivery], purpose: Purpose) -> list[tuple[Delivery, Reach]]:
    """Who of these may be written to, and where; the others are skipped, each for their reason."""
    judged = manners.judge(session, [one.customer_id for one in due], purpose, [ACCOUNT], manners.rules(session))
    found = [(one, judged[one.customer_id]) for one in due]
    deliveries.skip(session, {one.id: to.value for one, to in found if not isinstance(to, Reach)})
    return [(one, to) for one, to in found if isinstance(to, Reach)]


def bring(
    session: Session,
    one: Delivery,
    to: Reach,
    template: str,
    purpose: Purpose,
    shop: str,
    voucher_id: int | None,
    buttons: Sequence[Button] = (),
) -> int:
    """Put it into the chat, and say that it was sent; its number there."""
    # Only here: what talks to messengers takes seconds to import.
    from bot.messengers.web import deliver
    from bot.notifier import calls_of
    from handlers.chat import outreach

    points = ledger.balances_of_many(session, [one.customer_id], "available").get(one.customer_id, 0)
    values = outreach.values_of(to, points=points, tier="", shop=shop)
    if voucher_id is not None:
        given = vouchers.get(session, voucher_id)
        offer = voucher_programs.get(session, given.program_id)
        last_day = vouchers.last_day(session, given, offer)
        values |= outreach.voucher_values(to.language, name=offer.name, code=given.code, last_day=last_day)
    told = outreach.told(template, values, purpose, to.language, shorten=str, buttons=buttons, delivery_id=one.id)
    (call,) = calls_of(
        told, (to.account, to.chat), purpose=purpose, ids=session.info["ids"], rule=deliveries.RULE, subject=one.id
    )
    deliveries.queue(session, [(one.id, to.account, to.chat, voucher_id, 1)])
    ended = deliver(session, call, json.loads(call.payload))
    deliveries.ended(session, ended)
    return int(ended.result["message_id"])
