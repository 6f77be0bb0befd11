"""What the till's page is given: people, vouchers, sales and refusals as JSON, in the reader's words."""

from datetime import date, datetime, tzinfo
from typing import Any

from sqlalchemy.orm import Session

from handlers.chat.gives import terms
from handlers.words import Words
from loyalty.customers import phones
from loyalty.customers.counter import Card, Found
from loyalty.orders.bills import Bill
from loyalty.orders.sales import Sale
from loyalty.outreach.segments.treatment import Treatment
from loyalty.tiers import tiers
from loyalty.vouchers import vouchers
from loyalty.vouchers.discounts import ItemsError
from loyalty.vouchers.voucher_programs import MinOrderError
from loyalty.vouchers.vouchers import Kept, VoucherState
from store.errors import InvalidError, NotFoundError, RuleError
from store.pins import CLOSED_FOR, PinClosedError, WrongPinError

PIN_WARNS = 2
"""So many tries before it closes, a wrong PIN says how many are left."""


def ranks(session: Session) -> dict[str, int]:
    """A tier's place by its name, the lowest being 0."""
    return {tier.name: rank for rank, tier in enumerate(tiers.every(session))}


def found(said: Words, it: Found, ranks: dict[str, int]) -> dict[str, Any]:
    """Who or what a line meant."""
    return {
        "card": card(said, it.card, ranks) if it.card else None,
        "phone": {"number": it.phone, "shown": phones.local(it.phone)} if it.phone else None,
        "voucher": voucher(said, it.voucher) if it.voucher else None,
    }


def card(said: Words, it: Card, ranks: dict[str, int]) -> dict[str, Any]:
    """A customer at the counter."""
    return {
        "id": it.customer_id, "name": it.name, "phone": it.phone, "proven": it.phone_proven, "tier": it.tier.tier.name,
        "rank": ranks.get(it.tier.tier.name, 0), "price_list": it.tier.tier.price_list, "available": it.available, "pending": it.pending,
        "vouchers": [voucher(said, kept) for kept in it.vouchers],
    }  # fmt: skip


def treatment(said: Words, it: Treatment, today: date, zone: tzinfo) -> list[str]:
    """How a customer is to be served here, a line each: by their groups, what they owe, when they last bought."""
    lines = []
    for group in it.groups:
        policy = group.policy
        off = said("{n} % off", n=policy.discount) if policy.discount else ""
        prices = said("prices: {list}", list=policy.price_list) if policy.price_list else ""
        lines.append(" · ".join(part for part in (group.name, off, prices, policy.payment_terms) if part))
        if policy.notes:
            lines.append(policy.notes)
    if it.debt:
        lines.append(said("Owes {amount}", amount=said.money(it.debt)))
    if it.last_order_at is not None:
        ago = (today - it.last_order_at.astimezone(zone).date()).days
        if ago > 0:
            lines.append(said.plural("Last bought {n} day ago", "Last bought {n} days ago", ago))
    return lines


def voucher(said: Words, kept: Kept) -> dict[str, Any]:
    """A voucher with what it gives; `free` is false for one that is used or held by an order."""
    return {
        "code": vouchers.shown(kept.voucher.code), "name": kept.program.name,
        "terms": terms(said, kept.program, kept.last_day, kept.places), "min_order": kept.program.min_order,
        "free": kept.voucher.state == VoucherState.OPEN,
    }  # fmt: skip


def preview(said: Words, seen: Bill) -> dict[str, Any]:
    """What an entry would come to, in đồng and points: the vouchers used, and why the others are not (`part`: they are for
    certain items, and it isn't said what those cost).
    """
    best = seen.vouchers
    return {
        "amount": seen.amount, "discount": best.discount, "points_max": seen.points_max, "points": seen.points_used,
        "points_paid": seen.points_paid, "paid": seen.paid, "earns": seen.earns,
        "vouchers": [
            {"code": vouchers.shown(one.code), "name": one.program.name, "discount": one.discount} for one in best.uses
        ],
        "others": [
            {"code": vouchers.shown(one.code), "reason": one.reason, "why": why_not(said, one.reason)}
            for one in best.refused
        ],
        "part": any(one.reason == ItemsError.code for one in best.refused),
    }  # fmt: skip


def why_not(said: Words, reason: str) -> str:
    """Why a voucher isn't used on a bill."""
    return {
        "min_order": said("This bill is too small for the voucher."),
        "not_stackable": said("It can't be used together with the others."),
        "no_gain": said("Nothing is left for it to take off."),
        **_voucher_words(said),
    }.get(reason) or wrong_code(said)


def _voucher_words(said: Words) -> dict[str, str]:
    """What is in a voucher's way, by the code of the refusal."""
    return {
        "items": said("This voucher is for certain items. Enter what they cost on this bill."),
        "hours": said("This voucher isn't for now. Look at its days and hours."),
        "customer": said("This code is for known customers. Find the customer first."),
        "limit_reached": said("This customer has used it as often as one may."),
        "sold_out": said("This offer has run out."),
        "budget_spent": said("This offer has run out."),
        "voucher_unusable": said("This voucher has been used or has expired."),
    }


def sale(it: Sale, ranks: dict[str, int], zone: tzinfo, moment: datetime) -> dict[str, Any]:
    """A sale; `undo_seconds` is how long it can still be taken back, were it the last; `claim`: there is a QR for an
    unknown buyer.
    """
    return {
        "id": it.id, "order": it.order, "at": f"{it.at.astimezone(zone):%H:%M}", "customer": it.customer_id,
        "name": it.name, "phone": it.phone, "amount": it.amount, "discount": it.discount, "points": it.points_used,
        "points_paid": it.points_paid, "paid": it.paid, "earned": it.earned, "balance": it.balance, "tier": it.tier,
        "rank": ranks.get(it.tier or "", 0), "undone": it.undone,
        "undo_seconds": 0 if it.undone else max(0, int((it.undo_until - moment).total_seconds())),
        "claim": it.claim_token is not None and it.customer_id is None and not it.undone,
    }  # fmt: skip


def nobody(said: Words) -> str:
    """Nothing was found."""
    return said("Nobody is found by this. Check it digit by digit, or ask for the phone number.")


def wrong_code(said: Words) -> str:
    """A voucher's code that doesn't work, whatever is wrong with it."""
    return said("This code doesn't work. Please check it letter by letter.")


def refusal(said: Words, error: RuleError) -> str | None:
    """What the till says where the pages' common words say too little."""
    if isinstance(error, MinOrderError):
        return said("This voucher is for bills from {amount}.", amount=said.money(error.min_order))
    if isinstance(error, InvalidError) and error.field == "points":
        return said("More points than the bill can take. Take a little less.")
    if isinstance(error, InvalidError) and error.field == "pin":
        return said("A PIN is six digits, and not one that everybody tries first such as 123456.")
    if isinstance(error, InvalidError) and error.field == "at":
        return said("This sale waited for more than three days. Please ask the shop's manager to enter it.")
    if isinstance(error, WrongPinError) and 0 < error.left <= PIN_WARNS:
        return said.plural(
            "This isn't the right PIN, {n} try is left.", "This isn't the right PIN, {n} tries are left.", error.left
        )
    if isinstance(error, PinClosedError) or (isinstance(error, WrongPinError) and not error.left):
        seconds = error.seconds if isinstance(error, PinClosedError) else CLOSED_FOR.seconds
        return said("Too many wrong PINs. Try again in {minutes} minutes.", minutes=(seconds + 59) // 60)
    if isinstance(error, NotFoundError) and error.what == "sale":
        return said("This sale isn't yours to take back.")
    return {
        **_voucher_words(said),
        "not_stackable": said("These vouchers can't be used together. Take one of them out."),
        "insufficient_points": said(
            "The customer no longer has that many points. Look at the new number and try again."
        ),
        "undo_over": said("It's too late to take this sale back. Please ask the shop's manager."),
        "phone_taken": said(
            "This number, or this customer's own, is already confirmed. They can change it in the chat."
        ),
        "idempotency_conflict": said("This sale is already in with other numbers. Look at today's list first."),
        "wrong_pin": said("This isn't the right PIN."),
        "empty_shift": said("Nothing was sold in this shift yet."),
        "too_many": said("Too many wrong codes. Please wait a minute."),
    }.get(error.code)
