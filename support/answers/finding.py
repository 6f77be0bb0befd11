"""Finding: everything at the desk by its words, marks or none: tickets by their subject and who asks, what was said and noted
in them, the people themselves, and the shop's articles.

Which words stand where is kept by triggers (migration 0003), in the transaction that wrote them: on SQLite as FTS5 without a
second copy of the text, on PostgreSQL as tsvectors under a GIN index. Words are whole; the last one, which is still being
typed, may be the beginning of one. Of what very many tickets say, the newest are found.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Select, and_, column, false, literal, or_, select, text, union_all
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from store import shops
from store.staff import Member, Right
from store.text import fold
from support.answers import articles, rendering
from support.messages import ticket_messages
from support.tickets import tickets

WORDS_MAX = 8
"""Words of a search that are looked for."""
NEWEST = 200
"""So many tickets or messages are found at most, the newest."""
RECENT = 10_000
"""So many of the newest rows are looked through one by one on PostgreSQL."""
EXCERPT_CHARS = 140
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for: a ticket's number, or words."""

    number: int | None
    words: tuple[str, ...]
    """Folded; the last may be the beginning of a word."""
    phones: tuple[str, ...] = ()
    """Where digits alone are looked for: what the one number that they may be can begin with."""


@dataclass(frozen=True, slots=True)
class SaidHit:
    """A message or a note that holds the words; `excerpt` is its part with them."""

    ticket_id: int
    seq: int
    who: str
    at: datetime
    customer: str
    subject: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class PersonHit:
    """A customer who wrote to one of the member's shops, with the latest of those tickets."""

    customer_id: int
    name: str
    phone: str | None
    ticket_id: int


@dataclass(frozen=True, slots=True)
class TicketHit:
    ticket_id: int
    subject: str
    customer: str
    state: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ArticleHit:
    article_id: int
    shop_id: int
    title: str
    excerpt: str
    text: str
    """All of it in plain words, as it goes into an answer."""


@dataclass(frozen=True, slots=True)
class Everything:
    """What a search found, of each kind the newest first."""

    tickets: list[TicketHit]
    said: list[SaidHit]
    people: list[PersonHit]
    articles: list[ArticleHit]


def wanted(search: str) -> Wanted:
    """What a search asks for: `#1042` is a number, `1042` may be one, `0903 123` may begin a phone number."""
    bare = fold(search.replace("\x00", "").strip())
    number = re.fullmatch(r"#?(\d{1,9})", bare)
    if bare.startswith("#"):
        return Wanted(int(number[1]) if number else None, ())
    words = tuple(_WORD.findall(bare)[:WORDS_MAX])
    digits = re.sub(r"[\s.+-]", "", bare)
    phones: tuple[str, ...] = ()
    if len(digits) >= 6 and digits.isascii() and digits.isdecimal():
        # A phone is kept as +84903…, and looked for as 0903 …
        phones = (digits, f"84{digits[1:]}" if digits.startswith("0") else f"84{digits}")
    return Wanted(int(number[1]) if number else None, words, phones)


def among(session: Session, shop_ids: Sequence[int], search: str) -> ColumnElement[bool]:
    """The condition on tickets that a search of these shops sets: the number, all words in subject, name and phone, or all
    of them in one message or note.
    """
    asked = wanted(search)
    found: list[Select[int]] = [] if asked.number is None else [select(literal(asked.number))]
    if asked.words and shop_ids:
        m = ticket_messages.c
        said = select(m.ticket_id).where(m.id.in_(_rows(session, "search_messages", shop_ids, asked)))
        found += [_rows(session, "search_tickets", shop_ids, asked), said]
    # One list of numbers: PostgreSQL takes several with an OR between them as a reason to look at every ticket.
    return tickets.c.id.in_(union_all(*found)) if found else false()


def everything(session: Session, member: Member, search: str, limit: int = 8) -> Everything:
    """What a member of staff may find, of each kind the newest. Raises ForbiddenError where they have no desk."""
    member.need(Right.DESK)
    desks = member.shops(Right.DESK, [shop.id for shop in shops.every(session)])
    asked = wanted(search)
    if not desks or not (asked.words or asked.number is not None):
        return Everything([], [], [], [])
    about = [] if asked.number is None else [asked.number]
    if asked.words:
        about += session.execute(_rows(session, "search_tickets", desks, asked)).scalars()
    return Everything(
        _tickets(session, desks, about, limit), _said(session, desks, asked, limit),
        _people(session, desks, about, asked, limit), _articles(session, desks, asked, limit),
    )  # fmt: skip


# ── The index ──────────────────────────────────────────────────────────────────────────────────────


_NEWEST = """
WITH recent AS MATERIALIZED (
    SELECT id FROM (
        SELECT * FROM {index} WHERE id > (SELECT max(id) - {recent} FROM {index}) ORDER BY id DESC OFFSET 0
    ) newest WHERE {holds} LIMIT {limit}
), older AS MATERIALIZED (SELECT id FROM {index} WHERE {holds} AND (SELECT count(*) FROM recent) < {limit})
SELECT id FROM (SELECT id FROM recent UNION SELECT id FROM older) found ORDER BY id DESC LIMIT {limit}
"""
"""PostgreSQL can't tell common words from rare ones, and would walk through everything for a rare one. So what is common is found
among the newest, by looking at each (OFFSET 0 keeps it from asking the index there), and only where that is not enough, the
index is asked for all.
"""


def _rows(session: Session, index: str, shop_ids: Sequence[int], asked: Wanted, limit: int = NEWEST) -> Select[int]:
    """The numbers of the newest rows that hold all the words, in these shops."""
    every = _covers(session, shop_ids)
    if session.get_bind().dialect.name == "postgresql":
        only = "" if every else f" AND shop_id IN ({', '.join(str(shop_id) for shop_id in shop_ids)})"
        holds = f"words @@ to_tsquery('simple', :{index}){only}"
        sql = _NEWEST.format(index=index, holds=holds, limit=limit, recent=RECENT)
        match = _tsquery(asked)
    else:
        sql = f"SELECT rowid AS id FROM {index} WHERE {index} MATCH :{index} ORDER BY rowid DESC LIMIT {limit}"  # noqa: S608
        match = f"words : ({_fts5(asked)})"
        if not every:
            match += f" AND shop : ({' OR '.join(str(shop_id) for shop_id in shop_ids)})"
    # Our own names and numbers stand in the text; what people typed is bound.
    found = text(sql).bindparams(**{index: match}).columns(column("id", BigInteger)).subquery()
    return select(found.c.id)


def _covers(session: Session, shop_ids: Collection[int]) -> bool:
    """Whether these are all the shops there are, so that nothing has to be left out."""
    return {shop.id for shop in shops.every(session)} <= set(shop_ids)


def _fts5(asked: Wanted) -> str:
    *whole, last = asked.words
    every = " AND ".join([*(f'"{word}"' for word in whole), f'"{last}"*' if len(last) > 1 else f'"{last}"'])
    return " OR ".join([f"({every})", *(f'"{phone}"*' for phone in asked.phones)])


def _tsquery(asked: Wanted) -> str:
    *whole, last = asked.words
    every = " & ".join([*whole, f"{last}:*" if len(last) > 1 else last])
    return " | ".join([f"({every})", *(f"{phone}:*" for phone in asked.phones)])


# ── What is shown ──────────────────────────────────────────────────────────────────────────────────


def _tickets(session: Session, desks: Sequence[int], numbers: Sequence[int], limit: int) -> list[TicketHit]:
    t = tickets.c
    rows = session.execute(
        select(t.id, t.subject, customers.c.name, t.state, t.updated_at)
        .join(customers, customers.c.id == t.customer_id)
        .where(t.id.in_(numbers), t.shop_id.in_(desks))
        .order_by(t.updated_at.desc(), t.id.desc())
        .limit(limit)
    )
    return [TicketHit(*row) for row in rows]


def _said(session: Session, desks: Sequence[int], asked: Wanted, limit: int) -> list[SaidHit]:
    if not asked.words:
        return []
    m, t = ticket_messages.c, tickets.c
    rows = session.execute(
        select(m.ticket_id, m.seq, m.who, m.at, customers.c.name, t.subject, m.text)
        .join(tickets, t.id == m.ticket_id)
        .join(customers, customers.c.id == t.customer_id)
        .where(m.id.in_(_rows(session, "search_messages", desks, asked, limit)), t.shop_id.in_(desks))
        .order_by(m.id.desc())
    )
    return [SaidHit(*row[:6], excerpt(row.text, asked.words)) for row in rows]


def _people(session: Session, desks: Sequence[int], about: Sequence[int], asked: Wanted, limit: int) -> list[PersonHit]:
    """Those among the tickets found whose own name or phone it is."""
    t, c = tickets.c, customers.c
    own = [c.folded.contains(word, autoescape=True) for word in asked.words]
    by_phone = [c.phone.contains(phone, autoescape=True) for phone in asked.phones]
    rows = session.execute(
        select(c.id, c.name, c.phone, t.id)
        .join(tickets, t.customer_id == c.id)
        .where(t.id.in_(about), t.shop_id.in_(desks), or_(and_(*own), *by_phone) if own else false())
        .order_by(t.updated_at.desc(), t.id.desc())
    )
    people: dict[int, PersonHit] = {}
    for row in rows:
        people.setdefault(row[0], PersonHit(*row))
    return list(people.values())[:limit]


def _articles(session: Session, desks: Sequence[int], asked: Wanted, limit: int) -> list[ArticleHit]:
    """Published articles, whose words are looked through as they stand: there are hundreds, not millions."""
    hits = []
    for shop_id in desks if asked.words else ():
        for article in articles.published(session, shop_id):
            for language in articles.LANGUAGES:
                title, body = article.wording.titles.get(language, ""), article.wording.bodies.get(language, "")
                said = rendering.plain(body)
                held = set(_WORD.findall(fold(f"{title} {' '.join(article.wording.asked)} {said}")))
                *whole, last = asked.words
                if held.issuperset(whole) and any(word.startswith(last) for word in held):
                    hits.append(ArticleHit(article.id, shop_id, title or article.wording.told(language)[0],
                                           excerpt(said, asked.words), said))  # fmt: skip
                    break
    return hits[:limit]


def excerpt(said: str, words: Sequence[str], chars: int = EXCERPT_CHARS) -> str:
    """The part of a text round the first of the words that it holds."""
    line = " ".join(said.split())
    if len(line) <= chars:
        return line
    at = next((one.start() for one in _WORD.finditer(line) if any(fold(one[0]).startswith(word) for word in words)), 0)
    begin = max(0, min(at - chars // 3, len(line) - chars))
    begin = line.find(" ", begin) + 1 if begin else 0
    cut = line[begin : begin + chars]
    return f"{'…' if begin else ''}{cut}{'…' if begin + chars < len(line) else ''}"
