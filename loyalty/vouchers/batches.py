"""Batches: codes made by the million, or brought along in a list, some thousand at a time.

A batch is a row that knows how far it is. Its rules are generators that are committed at each thousand, so it shows its
progress, can be stopped, and goes on where it was after a crash: what is made is counted in the same transaction. Any
number of processes may work on the same batch; each thousand is made by one.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import ForeignKey, Index, Text, func, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.orders import sheets
from loyalty.orders.sheets import Row, SheetError
from loyalty.points import ledger
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.vouchers import OWN_CODE, SoldOutError, VoucherState, folded
from store import media, secret, signals
from store.base import Base, BigId, UtcTime, insert_rows, raw, table, to_micros
from store.clock import now
from store.errors import InvalidError, NotFoundError

CHUNK = 2_000
POOL = 15 * CHUNK
"""Codes that are drawn together and written in their order: a commit then writes a fifteenth of their index's pages."""
COUNT_MAX = 10_000_000
NAME_CHARS_MAX = 100
TOPIC = "batches"
CODE_COLUMNS: Mapping[str, Sequence[str]] = {
    "code": (
        "codes",
        "voucher",
        "voucher code",
        "coupon",
        "coupon code",
        "ma",
        "ma giam gia",
        "ma voucher",
        "ma uu dai",
    )
}
_RUNNING = text("state = 'running'")


class BatchState(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"
    SOLD_OUT = "sold_out"
    """The programme's stock has room for no more; raise it and go on."""


class BatchRow(Base):
    __tablename__ = "code_batches"
    __table_args__ = (
        Index("ix_code_batches_running", "id", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
        Index("ix_code_batches_program", "program_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    program_id: Mapped[int] = mapped_column(ForeignKey("voucher_programs.id"))
    name: Mapped[str] = mapped_column(Text)
    """What it is for: “Flyer Quận 7”."""
    wanted: Mapped[int]
    """Codes to make, or rows of the list."""
    made: Mapped[int]
    """Codes made so far."""
    seen: Mapped[int]
    """Of a list: rows gone through so far."""
    rejected: Mapped[int]
    file: Mapped[str | None] = mapped_column(Text)
    """Of a list: the content address of the file."""
    state: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class RejectRow(Base):
    """A row of a list that could not be taken."""

    __tablename__ = "batch_rejects"

    batch_id: Mapped[int] = mapped_column(ForeignKey("code_batches.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    """empty, format, repeated (in the list) or taken (by another voucher)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as rules give it out; see BatchRow."""

    id: int
    program_id: int
    name: str
    wanted: int
    made: int
    seen: int
    rejected: int
    file: str | None
    state: str
    at: datetime
    ended_at: datetime | None

    @property
    def done(self) -> int:
        """How far it is, of `wanted`."""
        return self.seen if self.file else self.made


@dataclass(frozen=True, slots=True)
class Reject:
    """A row of a list that was not taken; `reason` as in RejectRow."""

    line: int
    code: str
    reason: str


batches, rejects = table(BatchRow), table(RejectRow)
_FIELDS = tuple(batches.c[name] for name in Batch.__dataclass_fields__)


def start(session: Session, program_id: int, count: int, *, name: str = "", actor: str) -> Batch:
    """Begin to make `count` codes. Nothing is made yet: `work` does. Raises InvalidError("count", "name"), NotFoundError,
    SoldOutError (the stock has less room), SharedProgramError.
    """
    if not 1 <= count <= COUNT_MAX:
        raise InvalidError("count", "range", count)
    return _add(session, program_id, count, None, name, actor)


def start_list(session: Session, program_id: int, file: str, rows: int, *, name: str = "", actor: str) -> Batch:
    """Begin to take in a list of `rows` rows, kept as media under `file`. Raises as `start`."""
    return _add(session, program_id, rows, file, name, actor)


def keep_list(session: Session, program_id: int, content: bytes, rows: int, *, name: str = "", actor: str) -> Batch:
    """`start_list` of a file that is not kept yet."""
    sha = media.keep(session, content, "text/csv")
    return start_list(session, program_id, sha, rows, name=name, actor=actor)


def _add(session: Session, program_id: int, wanted: int, file: str | None, name: str, actor: str) -> Batch:
    clean = " ".join(name.split())
    if len(clean) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    offer = voucher_programs.get(session, program_id, lock=True)
    if offer.shared:
        raise vouchers.SharedProgramError(f"program {program_id} has one code for everybody")
    if offer.stock is not None and file is None and offer.issued + wanted > offer.stock:
        raise SoldOutError(f"program {program_id}")
    row = session.execute(
        insert(batches)
        .values(
            program_id=program_id, name=clean, wanted=wanted, made=0, seen=0, rejected=0, file=file, actor=actor,
            state=BatchState.RUNNING.value, at=now(session),
        )
        .returning(*_FIELDS)
    ).one()  # fmt: skip
    signals.signal(session, TOPIC)
    return Batch(*row)


def stop(session: Session, batch_id: int) -> Batch:
    """Stop a batch after the thousand that is being made; what is made stays. Repeatable. Raises NotFoundError."""
    found = get(session, batch_id, lock=True)
    return _write(session, batch_id, state=BatchState.STOPPED.value) if found.state == BatchState.RUNNING else found


def go_on(session: Session, batch_id: int) -> Batch:
    """Let a stopped batch go on, or one whose programme had no more room. Repeatable. Raises NotFoundError."""
    found = get(session, batch_id, lock=True)
    if found.state not in {BatchState.STOPPED, BatchState.SOLD_OUT}:
        return found
    signals.signal(session, TOPIC)
    return _write(session, batch_id, state=BatchState.RUNNING.value)


def work(session: Session, batch_id: int) -> Generator[Batch, None, None]:
    """Make a batch's codes, some at a time, a commit each, until all are made or it is stopped; how it stands each time.

    For `store.stream`. Raises NotFoundError.
    """
    pool: list[str] = []
    while True:
        batch = get(session, batch_id, lock=True)
        if batch.state != BatchState.RUNNING:
            yield batch
            return
        yield _make(session, batch, pool)


def _make(session: Session, batch: Batch, pool: list[str]) -> Batch:
    count = min(CHUNK, batch.wanted - batch.made)
    if not count:
        return _write(session, batch.id, state=BatchState.DONE.value, ended_at=now(session))
    codes: set[str] = set()
    while len(codes) < count:
        if not pool:
            pool += sorted(secret.codes(vouchers.CODE_SIGNS, min(POOL, batch.wanted - batch.made)), reverse=True)
        while pool and len(codes) < count:
            codes.add(pool.pop())
        codes -= _known(session, codes)
    return _insert(session, batch, sorted(codes), {"made": batch.made + count})


def read_list(path: Path) -> tuple[list[Row], int]:
    """All rows of a list of codes (CSV or XLSX), and the column where the codes stand: the one that is called so, or the
    first of a list without a header. Raises SheetError.
    """
    try:
        sheet = sheets.read(path, CODE_COLUMNS, ("code",))
    except SheetError as error:
        if error.problem != "columns":
            raise
    else:
        return list(sheet.rows), sheet.columns["code"]
    bare = sheets.read(path, {}, ())
    return [Row(1, bare.header), *bare.rows], 0


def take(session: Session, batch_id: int, rows: Sequence[Row], column: int) -> Generator[Batch, None, None]:
    """Take a list's codes in from where the batch stands, as `work` does. `rows`: all of its rows, the code in `column`."""
    while True:
        batch = get(session, batch_id, lock=True)
        if batch.state != BatchState.RUNNING:
            yield batch
            return
        chunk = rows[batch.seen : batch.seen + CHUNK]
        yield _take(session, batch, chunk, column)


def _take(session: Session, batch: Batch, rows: Sequence[Row], column: int) -> Batch:
    if not rows:
        return _write(session, batch.id, state=BatchState.DONE.value, ended_at=now(session))
    good: dict[str, Row] = {}
    bad: list[Reject] = []
    for row in rows:
        typed = sheets.text(row.cells[column]) if column < len(row.cells) else ""
        code = folded(typed) if len(typed) <= NAME_CHARS_MAX else ""
        reason = "" if OWN_CODE.fullmatch(code) else "format" if typed else "empty"
        if not reason and code in good:
            reason = "repeated"
        if reason:
            bad.append(Reject(row.line, typed[:NAME_CHARS_MAX], reason))
        else:
            good[code] = row
    v = vouchers.vouchers.c
    known = session.execute(select(v.code, v.batch_id).where(v.code.in_(good))) if good else ()
    for code, batch_id in known:
        reason = "repeated" if batch_id == batch.id else "taken"
        bad.append(Reject(good.pop(code).line, code, reason))
    values = {
        "made": batch.made + len(good), "seen": batch.seen + len(rows), "rejected": batch.rejected + len(bad)
    }  # fmt: skip
    stands = _insert(session, batch, list(good), values)
    if bad and stands.seen > batch.seen:
        session.execute(
            insert(rejects),
            [{"batch_id": batch.id, "line": one.line, "code": one.code, "reason": one.reason} for one in bad],
        )
    return stands


def _insert(session: Session, batch: Batch, codes: Sequence[str], values: dict[str, Any]) -> Batch:
    """Write codes and how far the batch is by them, or that the programme has no room for them."""
    offer = voucher_programs.get(session, batch.program_id, lock=True)
    try:
        if codes:
            vouchers.take_stock(session, offer, len(codes))
    except SoldOutError:
        return _write(session, batch.id, state=BatchState.SOLD_OUT.value)
    expires_at = vouchers.expiry(session, offer)
    until = None if expires_at is None else to_micros(expires_at)
    moment = to_micros(now(session))
    rows = [(offer.id, code, VoucherState.OPEN.value, moment, until, batch.id) for code in codes]
    insert_rows(session, "vouchers", "program_id, code, state, issued_at, expires_at, batch_id", rows)
    return _write(session, batch.id, **values)


def _known(session: Session, codes: set[str]) -> set[str]:
    marks = ", ".join("?" * len(codes))
    return {row[0] for row in raw(session, f"SELECT code FROM vouchers WHERE code IN ({marks})", tuple(codes))}  # noqa: S608


def _write(session: Session, batch_id: int, **values: Any) -> Batch:
    row = session.execute(update(batches).where(batches.c.id == batch_id).values(**values).returning(*_FIELDS)).one()
    return Batch(*row)


# ── Looking ────────────────────────────────────────────────────────────────────────────────────────


def get(session: Session, batch_id: int, program_id: int | None = None, *, lock: bool = False) -> Batch:
    """A batch; raises NotFoundError, also where it isn't this programme's."""
    query = select(*_FIELDS).where(batches.c.id == batch_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None or program_id not in {None, row.program_id}:
        raise NotFoundError("batch", batch_id)
    return Batch(*row)


def of_program(
    session: Session, program_id: int, *, before: int | None = None, limit: int | None = None
) -> list[Batch]:
    """A programme's batches, newest first; those older than number `before`, `limit` at most."""
    query = select(*_FIELDS).where(batches.c.program_id == program_id)
    if before is not None:
        query = query.where(batches.c.id < before)
    return [Batch(*row) for row in session.execute(query.order_by(batches.c.id.desc()).limit(limit))]


def running(session: Session) -> list[Batch]:
    """What is to be worked on, oldest first."""
    rows = session.execute(select(*_FIELDS).where(batches.c.state == BatchState.RUNNING.value).order_by(batches.c.id))
    return [Batch(*row) for row in rows]


def page(session: Session, batch_id: int, after: int = 0, limit: int = 5_000) -> Sequence[tuple[int, str, str]]:
    """The next codes of a batch: (number to go on after, code, state). Read one after the other they are all of them."""
    v = vouchers.vouchers.c
    rows = session.execute(
        select(v.id, v.code, v.state).where(v.batch_id == batch_id, v.id > after).order_by(v.id).limit(limit)
    )
    return [(row.id, row.code, row.state) for row in rows]


def refused(session: Session, batch_id: int, limit: int | None = None) -> list[Reject]:
    """Rows of a list that were not taken, in the list's order."""
    rows = session.execute(
        select(rejects.c.line, rejects.c.code, rejects.c.reason)
        .where(rejects.c.batch_id == batch_id)
        .order_by(rejects.c.line)
        .limit(limit)
    )
    return [Reject(*row) for row in rows]


def check(session: Session) -> list[ledger.Fault]:
    """Prove how many codes each batch made from the vouchers, and how many rows it refused from those."""
    v = vouchers.vouchers.c
    counted = (
        select(v.batch_id, func.count().label("found")).where(v.batch_id.is_not(None)).group_by(v.batch_id).subquery()
    )
    found = func.coalesce(counted.c.found, 0)
    rows = session.execute(
        select(batches.c.id, batches.c.made, found)
        .outerjoin(counted, counted.c.batch_id == batches.c.id)
        .where(batches.c.made != found)
    )
    faults = [ledger.Fault("codes of a batch", number, int(count), made) for number, made, count in rows]
    refused = select(rejects.c.batch_id, func.count().label("found")).group_by(rejects.c.batch_id).subquery()
    none = func.coalesce(refused.c.found, 0)
    odd = session.execute(
        select(batches.c.id, batches.c.rejected, none)
        .outerjoin(refused, refused.c.batch_id == batches.c.id)
        .where(batches.c.rejected != none)
    )
    return faults + [ledger.Fault("rows a batch refused", number, int(count), said) for number, said, count in odd]
