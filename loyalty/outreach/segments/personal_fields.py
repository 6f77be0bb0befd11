"""Fields of who a customer is: where they are at home, how they are reached, when they were born, which lists they are on."""

from calendar import isleap
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, extract, func, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from loyalty.customers.customers import LANGUAGES, customers, identities
from loyalty.outreach.segments.criteria import Test
from loyalty.outreach.segments.lists import members
from loyalty.outreach.segments.looks import (
    Choices,
    Field,
    Kind,
    Look,
    compared,
    days,
    plain,
    within,
    yes_no,
)
from store.base import raw

MESSENGERS = ("telegram", "zalo", "web")
BIRTHDAYS = ("today", "this_month", "next_month")


def _birthday_month(_seen: Look, test: Test) -> ColumnElement[bool]:
    return and_(customers.c.birthday.is_not(None), compared(extract("month", customers.c.birthday), test))


def _birthday(seen: Look, test: Test) -> ColumnElement[bool]:
    born, today = customers.c.birthday, seen.today
    month = extract("month", born)
    if test.value == "today":
        # Of 29 February on the 28th of a year that has none.
        more = (29,) if (today.month, today.day) == (2, 28) and not isleap(today.year) else ()
        return and_(born.is_not(None), month == today.month, extract("day", born).in_((today.day, *more)))
    wanted = today.month if test.value == "this_month" else today.month % 12 + 1
    return and_(born.is_not(None), month == wanted)


def _language(_seen: Look, test: Test) -> ColumnElement[bool]:
    return customers.c.language == test.value


def _tag(seen: Look, test: Test) -> ColumnElement[bool]:
    if seen.session.get_bind().dialect.name == "postgresql":
        return cast(customers.c.tags, JSONB).contains([test.value])
    each = func.json_each(customers.c.tags).table_valued("value")
    return exists(select(1).select_from(each).where(type_coerce(each.c.value, String) == test.value))


def _on_messenger(seen: Look, test: Test) -> Select[Any]:
    i = identities.c
    on = or_(i.account == test.value, i.account.like(f"{test.value}:%"))
    return select(i.customer_id).where(on, seen.mine(i.customer_id))


def _reachable(seen: Look) -> ColumnElement[bool]:
    i = identities.c
    return customers.c.id.in_(select(i.customer_id).where(i.unreachable_since.is_(None), seen.mine(i.customer_id)))


def _last_reply(seen: Look, _test: Test) -> ColumnElement[Any]:
    i = identities.c
    return seen.each(
        "reply",
        lambda: select(i.customer_id, func.max(i.last_seen_at)).where(seen.mine(i.customer_id)).group_by(i.customer_id),
    )


def _home(_seen: Look, test: Test) -> ColumnElement[bool]:
    return func.coalesce(customers.c.home_shop_id, 0) == plain(test)


def _on_list(seen: Look, test: Test) -> Select[Any]:
    m = members.c
    return select(m.customer_id).where(m.segment_id == test.value, seen.mine(m.customer_id))


def _lists(seen: Look) -> Choices:
    rows = raw(seen.session, "SELECT id, name FROM segments WHERE listed AND removed_at IS NULL ORDER BY id")
    return {int(number): str(name) for number, name in rows}


def _shops(seen: Look) -> Choices:
    return {shop.id: shop.name for shop in seen.shops()}


FIELDS = (
    days("joined_days_ago", lambda _seen, _test: customers.c.joined_at),
    Field("birthday_month", Kind.MONTH, _birthday_month, value=lambda _seen, _test: extract("month", customers.c.birthday)),
    Field("birthday", Kind.CHOICE, _birthday, lambda _: dict.fromkeys(BIRTHDAYS, ""), ordered=False),
    Field(
        "language", Kind.CHOICE, _language, lambda _: dict.fromkeys(LANGUAGES, ""), ordered=False,
        value=lambda _seen, _test: customers.c.language,
    ),
    Field("tag", Kind.TEXT, _tag, ordered=False, value=lambda _seen, _test: customers.c.tags),
    Field("shop", Kind.RECORD, _home, _shops, ordered=False, value=lambda _seen, _test: customers.c.home_shop_id),
    within("messenger", _on_messenger, kind=Kind.CHOICE, choices=lambda _: dict.fromkeys(MESSENGERS, "")),
    yes_no("reachable", _reachable),
    yes_no("offers", lambda _: customers.c.advertising.is_(True)),
    days("days_since_last_reply", _last_reply),
    within("list", _on_list, kind=Kind.RECORD, choices=_lists),
)  # fmt: skip
