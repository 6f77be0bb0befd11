"""The counter: who stands before the cashier, by what they show or say, and whose phone the cashier vouches for."""

from collections.abc import Sequence
from dataclasses import dataclass

from phonenumbers import is_valid_number, parse
from sqlalchemy.orm import Session

from loyalty import attempts
from loyalty.customers import claims, customers, phones
from loyalty.customers.claims import Claimed
from loyalty.points import points
from loyalty.tiers import qualification
from loyalty.tiers.tier_rule import Standing
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.vouchers import VoucherState
from store import audit, notices, shops
from store.errors import ConflictError, InvalidError, NotFoundError


@dataclass(frozen=True, slots=True)
class Card:
    """Who stands at the counter. `phone` is masked."""

    customer_id: int
    name: str
    code: str
    phone: str | None
    phone_proven: bool
    tier: Standing
    available: int
    pending: int
    vouchers: Sequence[vouchers.Kept]
    reachable: bool
    """They have a messenger account with us."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a scan or a typed line means. A phone nobody has yet: no card, and the `phone` a guest is made for. A bearer's
    voucher: no card either.
    """

    card: Card | None
    phone: str | None = None
    voucher: vouchers.Kept | None = None


class PhoneTakenError(ConflictError):
    """The number, or this customer's own, was proven before: only its owner can move it, by a code."""

    code = "phone_taken"


def card(session: Session, customer_id: int, shop_id: int) -> Card:
    """A customer as the till shows them, with the vouchers that this shop takes. Raises NotFoundError."""
    person = customers.get(session, customer_id)
    available, pending, _ = points.balances(session, person.id)
    return Card(
        person.id, person.name, person.code, phones.masked(person.phone) if person.phone else None,
        person.phone_verified_at is not None, qualification.of(session, person.id), available, pending,
        [kept for kept in vouchers.wallet(session, person.id, shop_id=shop_id) if kept.voucher.state == VoucherState.OPEN],
        bool(customers.identities_of(session, person.id)),
    )  # fmt: skip


def find(session: Session, query: str, *, shop_id: int, staff_id: int) -> Found | NotFoundError:
    """Who or what a scan or a typed line means: the card's QR (`regulars:CODE`) or its short code, a phone in any form, a
    voucher's QR (`regulars:v:CODE`) or its code.

    What means nobody is returned, not raised, for it was counted as a wrong code and the count must stay. Raises
    TooManyError.
    """
    actor = f"staff:{staff_id}"
    attempts.guard(session, actor)
    typed = query.strip().removeprefix("regulars:").removeprefix("v:")
    code = vouchers.folded(typed)
    if len(code) == customers.CODE_SIGNS:
        try:
            return Found(card(session, customers.by_code(session, code), shop_id))
        except NotFoundError:
            pass
    voucher = vouchers.by_code(session, code)
    if voucher is not None:
        offer = voucher_programs.get(session, voucher.program_id)
        if offer.at(shop_id):
            owner = card(session, voucher.customer_id, shop_id) if voucher.customer_id is not None else None
            return Found(owner, voucher=vouchers.kept_of(session, voucher, offer))
    elif any(sign.isdecimal() for sign in typed) and not any(sign.isalpha() for sign in typed):
        try:
            phone = phones.normal(typed)
        except InvalidError:
            pass
        else:
            known = customers.by_phone(session, phone)
            if known is not None:
                return Found(card(session, known, shop_id), phone=phone)
            # A digit too few or too many must not make a guest of nobody.
            if is_valid_number(parse(phone)):
                return Found(None, phone=phone)
    attempts.wrong(session, actor)
    return NotFoundError("customer", query[:64])


def confirm_phone(session: Session, customer_id: int, phone: str, *, shop_id: int, staff_id: int) -> Claimed:
    """A cashier, who has the person before them, vouches that a phone (in any form) is this customer's.

    It makes a guest of that number one with them. A number that was proven before, and a customer who proved another, stay
    as they are: a slip at the counter must not hand somebody's points over. Raises InvalidError("phone"), NotFoundError,
    PhoneTakenError.
    """
    number = phones.normal(phone)
    person = customers.get(session, customer_id)
    if person.phone == number and person.phone_verified_at is not None:
        return Claimed(person.id, 0)
    holder = customers.by_phone(session, number)
    proven = holder is not None and customers.get(session, holder).phone_verified_at is not None
    if person.phone_verified_at is not None or proven:
        raise PhoneTakenError(phones.masked(number))
    claimed = claims.prove_phone(session, person.id, number)
    audit.record(
        session, f"staff:{staff_id}", "phone_confirmed", shop_id, customer=claimed.customer_id,
        phone=phones.masked(number),
    )  # fmt: skip
    notices.tell(
        session, "phone_confirmed", customer_id=claimed.customer_id, shop_id=shop_id, phone=phones.masked(number),
        points=claimed.points, shop=shops.get(session, shop_id).name,
    )  # fmt: skip
    return claimed
