"""Phone numbers: one form (E.164) in the store, masked in logs, proven by a code where the messenger can't."""

import hmac
import re
from datetime import datetime, timedelta
from functools import lru_cache

import phonenumbers
from sqlalchemy import ForeignKey, Text, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import secret
from store.base import Base, UtcTime
from store.clock import now
from store.errors import InvalidError, RuleError

REGION = "VN"
_MOBILE = re.compile(r"(?:\+?84|0)([35789][0-9]{8})")
"""How nearly all come, told without the library's grammar of all the world's numbers."""
CODE_DIGITS = 6
CODE_LIVES = timedelta(minutes=5)
TRIES_MAX = 5
ASK_AGAIN_AFTER = timedelta(seconds=30)


class PhoneCode(Base):
    """The code that was last sent to prove a customer's typed number."""

    __tablename__ = "phone_codes"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), primary_key=True, autoincrement=False)
    phone: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Text)
    sent_at: Mapped[datetime] = mapped_column(UtcTime)
    tries: Mapped[int] = mapped_column(default=0)


class WrongCodeError(RuleError):
    """The code is wrong or too old; `left` tries remain for it."""

    code = "wrong_code"

    def __init__(self, left: int) -> None:
        super().__init__(f"{left} tries left")
        self.left = left


class TooSoonError(RuleError):
    """A code was sent only moments ago."""

    code = "too_soon"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds


@lru_cache(maxsize=65_536)
def normal(typed: str, region: str = REGION) -> str:
    """A number as people write it (`0903 123 456`, `+84 90…`, `84903…`) in E.164. Raises InvalidError("phone")."""
    text = typed.strip()
    if len(text) > 32:
        raise InvalidError("phone", "format", text[:32])
    if mobile := _MOBILE.fullmatch(text):
        return f"+84{mobile[1]}"
    if text.isdecimal() and text.startswith("84") and len(text) in {11, 12}:
        text = f"+{text}"
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise InvalidError("phone", "format", typed) from error
    if not phonenumbers.is_possible_number(number) or number.extension:
        raise InvalidError("phone", "format", typed)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def masked(phone: str) -> str:
    """A number that may stand in a log or before a cashier's neighbour: `+8490•••456`."""
    return f"{phone[:5]}•••{phone[-3:]}" if len(phone) > 8 else "•••"


def local(phone: str) -> str:
    """A number as its owner writes it: `0903 123 456`; another country's in its international form."""
    number = phonenumbers.parse(phone)
    form = phonenumbers.PhoneNumberFormat
    home = number.country_code == phonenumbers.country_code_for_region(REGION)
    return str(phonenumbers.format_number(number, form.NATIONAL if home else form.INTERNATIONAL))


def send_code(session: Session, customer_id: int, phone: str) -> str:
    """A fresh code for a customer's typed number, to be brought to it by the caller's channel; only its hash stays.

    Raises TooSoonError within 30 s of the last one.
    """
    last = session.execute(select(PhoneCode.sent_at).where(PhoneCode.customer_id == customer_id)).scalar()
    if last is not None and now(session) - last < ASK_AGAIN_AFTER:
        wait = ASK_AGAIN_AFTER - (now(session) - last)
        raise TooSoonError(int(wait.total_seconds()) + 1)
    code = secret.digits(CODE_DIGITS)
    session.execute(delete(PhoneCode).where(PhoneCode.customer_id == customer_id))
    session.add(
        PhoneCode(customer_id=customer_id, phone=phone, hash=_hash(customer_id, phone, code), sent_at=now(session))
    )
    return code


def prove(session: Session, customer_id: int, code: str) -> str | WrongCodeError:
    """The number that this code proves, once. A wrong code is counted (so it is returned, not raised: the count must
    stay): after 5, or 5 minutes, a new one is needed.
    """
    row = session.execute(
        select(PhoneCode.phone, PhoneCode.hash, PhoneCode.sent_at, PhoneCode.tries)
        .where(PhoneCode.customer_id == customer_id)
        .with_for_update()
    ).first()
    if row is None or row.tries >= TRIES_MAX or now(session) - row.sent_at > CODE_LIVES:
        return WrongCodeError(0)
    if not hmac.compare_digest(row.hash, _hash(customer_id, row.phone, code.strip())):
        session.execute(update(PhoneCode).where(PhoneCode.customer_id == customer_id).values(tries=PhoneCode.tries + 1))
        return WrongCodeError(TRIES_MAX - row.tries - 1)
    session.execute(delete(PhoneCode).where(PhoneCode.customer_id == customer_id))
    return str(row.phone)


def _hash(customer_id: int, phone: str, code: str) -> str:
    return secret.digest(f"{customer_id}:{phone}:{code}")
