"""Records: all that the loyalty floor keeps of one customer, to be handed over to them or to be forgotten."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from loyalty import recognition
from loyalty.customers import customers, facts, phones
from loyalty.orders import orders
from loyalty.outreach import consents, deliveries
from loyalty.outreach.journeys import runs
from loyalty.outreach.segments import lists
from loyalty.points import gifts, points, statement
from loyalty.referrals import referrals
from loyalty.tiers import qualification
from loyalty.vouchers import voucher_programs, vouchers
from store import erasure, secret, shops
from store.base import table
from store.clock import now


def of(session: Session, customer_id: int) -> dict[str, Any]:
    """A customer's own copy of what is kept of them, in plain values; times are ISO 8601, UTC. Raises NotFoundError."""
    person = customers.get(session, customer_id)
    return {
        "customer": _customer(session, person),
        "identities": _identities(session, person.id),
        "orders": _orders(session, person.id),
        "ledger": _ledger(session, person.id),
        "vouchers": _vouchers(session, person.id),
        "recognition": recognition.record(session, person.id),
        "consents": _consents(session, person.id),
        "deliveries": deliveries.record(session, every_number(session, person.id)),
        "journeys": runs.record(session, every_number(session, person.id)),
    }


def every_number(session: Session, customer_id: int) -> list[int]:
    """The numbers under which a customer was ever known: their own and those merged into it."""
    numbers = [customers.resolve(session, customer_id)]
    c = customers.customers.c
    for number in numbers:
        numbers += session.execute(select(c.id).where(c.merged_into == number)).scalars().all()
    return numbers


def forget(session: Session, customer_id: int) -> set[str]:
    """Take everything that says who a customer is out of the loyalty floor and the store: name, phone, birthday, messenger
    accounts, the words in their chats. Orders and the ledger stay, nobody's. The addresses of media that were in the chats.
    """
    numbers = every_number(session, customer_id)
    c, i = customers.customers, customers.identities
    people = session.execute(select(c.c.name, c.c.phone).where(c.c.id.in_(numbers))).all()
    chats = [tuple(row) for row in session.execute(
        select(i.c.account, i.c.chat_id, i.c.user_id).where(i.c.customer_id.in_(numbers))
    )]  # fmt: skip
    shas = erasure.forget_chats(session, chats)
    # A given name alone is many people's; a full name or a phone says who it is.
    named = {row.name for row in people if " " in row.name} | {row.phone for row in people if row.phone}
    erasure.forget_words(session, numbers, named | {phone.lstrip("+") for phone in named if phone.startswith("+")})
    session.execute(delete(i).where(i.c.customer_id.in_(numbers)))
    session.execute(delete(table(phones.PhoneCode)).where(phones.PhoneCode.customer_id.in_(numbers)))
    facts.forget(session, numbers)
    lists.forget(session, numbers)
    runs.forget(session, numbers)
    gifts.forget(session, numbers, {row.phone for row in people if row.phone})
    session.execute(delete(referrals.links).where(referrals.links.c.customer_id.in_(numbers)))
    shas |= recognition.forget(session, numbers)
    o = orders.orders
    session.execute(update(o).where(o.c.customer_id.in_(numbers)).values(claim_token=None))
    for number in numbers:
        session.execute(
            update(c)
            .where(c.c.id == number)
            .values(
                **customers.named(""), phone=None, phone_verified_at=None, birthday=None, address=None, tags=[],
                advertising=False, code=secret.code(customers.CODE_SIGNS), erased_at=now(session),
            )
        )  # fmt: skip
    return shas


def _customer(session: Session, person: customers.Customer) -> dict[str, Any]:
    home = shops.get(session, person.home_shop_id) if person.home_shop_id else shops.every(session)[0]
    wallet = points.wallet(session, person.id, home.timezone)
    standing = qualification.of(session, person.id)
    return {
        "id": person.id,
        "phone": person.phone,
        "phone_verified_at": _iso(person.phone_verified_at),
        "name": person.name,
        "birthday": _iso(person.birthday),
        "language": person.language,
        "address": person.address,
        "code": person.code,
        "tags": person.tags,
        "advertising": person.advertising,
        "joined_at": _iso(person.joined_at),
        "points": {
            "available": wallet.available,
            "pending": wallet.pending,
            "expiring": [{"points": part.points, "on": _iso(part.on)} for part in wallet.expiring],
        },
        "tier": {
            "name": standing.tier.name,
            "points": wallet.tier_points,
            "next": standing.next.name if standing.next else None,
            "to_next": standing.to_next,
        },
        "spend": {
            "total": person.spend_total,
            "orders": person.orders_count,
            "last_order_at": _iso(person.last_order_at),
        },
    }


def _identities(session: Session, customer_id: int) -> list[dict[str, Any]]:
    i = customers.identities.c
    rows = session.execute(
        select(i.account, i.user_id, i.chat_id, i.joined_at, i.last_seen_at)
        .where(i.customer_id == customer_id)
        .order_by(i.joined_at)
    )
    return [
        {
            "account": row.account, "user_id": row.user_id, "chat_id": row.chat_id, "joined_at": _iso(row.joined_at),
            "last_seen_at": _iso(row.last_seen_at),
        }
        for row in rows
    ]  # fmt: skip


def _orders(session: Session, customer_id: int) -> list[dict[str, Any]]:
    names = {shop.id: shop.name for shop in shops.every(session)}
    o = orders.orders.c
    rows = session.execute(select(orders.orders).where(o.customer_id == customer_id).order_by(o.placed_at, o.id))
    return [
        {
            "external_id": row.external_id, "shop": names[row.shop_id], "placed_at": _iso(row.placed_at),
            "status": row.status, "total": row.total, "refunded": row.refunded, "currency": row.currency,
            "items": row.items, "points": row.standing,
        }
        for row in rows
    ]  # fmt: skip


def _ledger(session: Session, customer_id: int) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    page, following = statement.entries(session, customer_id, 500)
    while page:
        lines += [
            {
                "at": _iso(entry.at), "kind": entry.kind, "points": entry.points, "balance": entry.balance,
                "order": entry.order, "shop": entry.shop, "reason": entry.reason, "expires_at": _iso(entry.expires_at),
            }
            for entry in page
        ]  # fmt: skip
        if following is None:
            break
        page, following = statement.entries(session, customer_id, 500, following)
    return lines


def _vouchers(session: Session, customer_id: int) -> list[dict[str, Any]]:
    v, p = vouchers.vouchers, voucher_programs.programs
    rows = session.execute(
        select(v.c.code, v.c.state, v.c.issued_at, v.c.expires_at, p.c.name, p.c.kind, p.c.value)
        .join(p, p.c.id == v.c.program_id)
        .where(v.c.customer_id == customer_id)
        .order_by(v.c.issued_at, v.c.id)
    )
    return [
        {
            "code": row.code, "program": row.name, "kind": row.kind, "value": row.value, "state": row.state,
            "issued_at": _iso(row.issued_at), "expires_at": _iso(row.expires_at),
        }
        for row in rows
    ]  # fmt: skip


def _consents(session: Session, customer_id: int) -> list[dict[str, Any]]:
    return [
        {
            "at": _iso(one.at), "purpose": one.purpose.name.lower(), "messenger": one.messenger or None,
            "agreed": one.agreed, "account": one.proof.get("account"), "proof": one.proof,
        }
        for one in consents.of(session, customer_id)
    ]  # fmt: skip


def _iso(moment: datetime | date | None) -> str | None:
    return None if moment is None else moment.isoformat()
