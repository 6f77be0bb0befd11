"""Lucky draws: the odds that were declared, no more prizes than there are, and a log that gives every tampering away."""

import asyncio
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.__main__ import status
from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points, proof
from loyalty.recognition import drafts, drawlog, draws, entries, fair, wins
from loyalty.recognition.drafts import DrawInput
from loyalty.recognition.draws import ASSURANCES, Draw, DrawClosedError, EntryBy, Mode
from loyalty.recognition.entries import Drawn, EntryLimitError, NoEntryError
from loyalty.recognition.prizes import PrizeInput, PrizeKind
from loyalty.recognition.wins import WinState
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError, MovedError, NotFoundError
from store.sealed import Seal, SealError
from tests.conftest import NOON, SECRET_KEY

SEED = "5eed" * 16
POINTS = PrizeInput("50 điểm", PrizeKind.POINTS, points=50, stock=1_000)
CUP = PrizeInput("Ly sứ", PrizeKind.THING, stock=2, value=120_000)


def draft(*placed: tuple[PrizeInput, int], **values: Any) -> DrawInput:
    base = DrawInput(
        name="Lì xì đầu năm", mode=Mode.ODDS, entry_by=EntryBy.ORDER, entry_per=0, ends_at=NOON + timedelta(days=7),
        prizes=placed or ((POINTS, 2_500), (CUP, 500)),
    )  # fmt: skip
    return replace(base, **values)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite; with BOTH each of the two."""
    return str(request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url"))


BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


async def opened(store: Store, shop: int, made: DrawInput | None = None, seed: str | None = SEED) -> Draw:
    """An open draw whose seed is known to the test."""

    def write(session: Any) -> Draw:
        draw = drafts.add(session, shop, made or draft())
        if seed is None:
            return draws.open_draw(session, draw.id, shop, "staff:1", ASSURANCES)
        usual, fair.new_seed = fair.new_seed, lambda: seed  # type: ignore[assignment]
        try:
            return draws.open_draw(session, draw.id, shop, "staff:1", ASSURANCES)
        finally:
            fair.new_seed = usual

    return await store.write(write)


async def put(store: Store, shop: int, number: str, total: int, **values: Any) -> orders.OrderState:
    usual = {"phone": "+84903123456", "placed_at": store.clock.now(), "status": Status.COMPLETED}
    told = OrderInput(total=total, currency="VND", **(usual | values))
    return await store.write(orders.put, shop, number, told)


async def entries_of(store: Store, draw: Draw, customer_id: int) -> list[int]:
    return await store.read(entries.open_of, draw.id, customer_id)


async def draw_all(store: Store, draw: Draw, customer_id: int) -> list[Drawn]:
    return [await store.write(entries.draw, entry, customer_id) for entry in await entries_of(store, draw, customer_id)]


async def published(store: Store, draw: Draw) -> dict[str, Any]:
    """As the exported file has it."""
    found = await store.read(lambda s: drawlog.document(s, draw.id, seed=draws.secret_seed(s, draw.id)))
    return json.loads(json.dumps(found))


# ── By the declared odds ────────────────────────────────────────────────────────────────────────────


def test_draws_match_the_declared_odds() -> None:
    """20,000 draws of one seed: each prize within four standard deviations of its odds."""
    terms = {"mode": "odds", "tickets": 0, "when_out": "nothing", "prizes": [
        {"place": 1, "odds": 10}, {"place": 2, "odds": 500}, {"place": 3, "odds": 2_500}]}  # fmt: skip
    left = {1: 10**6, 2: 10**6, 3: 10**6}
    counts = dict.fromkeys((0, 1, 2, 3), 0)
    for number in range(1, 20_001):
        value = fair.value(fair.digest(SEED, number, 7, f"entry:{number}"), fair.chances(terms, number))
        counts[fair.pick(terms, left, value)] += 1
    for place, odds in ((1, 10), (2, 500), (3, 2_500), (0, 6_990)):
        expected = 20_000 * odds / 10_000
        spread = (expected * (1 - odds / 10_000)) ** 0.5
        assert abs(counts[place] - expected) < 4 * spread, (place, counts)


def test_by_tickets_every_prize_is_drawn() -> None:
    terms = {"mode": "tickets", "tickets": 100, "when_out": "nothing", "prizes": [
        {"place": 1, "odds": 0}, {"place": 2, "odds": 0}]}  # fmt: skip
    left, drawn = {1: 1, 2: 30}, []
    for number in range(1, 101):
        place = fair.pick(terms, left, fair.value(fair.digest(SEED, number, 1, "e"), fair.chances(terms, number)))
        drawn.append(place)
        if place:
            left[place] -= 1
    assert (drawn.count(1), drawn.count(2), drawn.count(0)) == (1, 30, 69)


@pytest.mark.parametrize(("when_out", "place"), [("nothing", 0), ("next", 3)])
def test_what_a_prize_that_ran_out_gives_is_declared(when_out: str, place: int) -> None:
    terms = {"mode": "odds", "when_out": when_out, "prizes": [
        {"place": 1, "odds": 100}, {"place": 2, "odds": 100}, {"place": 3, "odds": 100}]}  # fmt: skip
    assert fair.pick(terms, {1: 0, 2: 0, 3: 5}, 50) == place
    assert fair.pick(terms, {1: 0, 2: 0, 3: 5}, 250) == 3
    assert fair.pick(terms, {1: 0, 2: 0, 3: 5}, 300) == 0


# ── Entries and drawing ─────────────────────────────────────────────────────────────────────────────


@BOTH
async def test_an_order_brings_an_entry_and_a_second_tap_draws_nothing(store: Store, shop: int) -> None:
    draw = await opened(store, shop, draft((POINTS, 10_000)))
    state = await put(store, shop, "A1", 40_000)
    await put(store, shop, "A1", 40_000)
    assert state.customer_id is not None
    (entry,) = await entries_of(store, draw, state.customer_id)
    drawn = await store.write(entries.draw, entry, state.customer_id)
    assert (drawn.number, drawn.new, drawn.left) == (1, True, 0)
    assert drawn.prize is not None
    assert drawn.win is not None
    assert drawn.win.state == WinState.GIVEN
    again = await store.write(entries.draw, entry, state.customer_id)
    assert (again.number, again.new, again.win) == (1, False, drawn.win)
    assert (await store.read(points.balances, state.customer_id))[0] == 40 + 50
    other = await store.write(customers.create)
    with pytest.raises(NotFoundError):
        await store.write(entries.draw, entry, other)
    assert await store.read(proof.faults) == []


async def test_orders_from_before_give_nothing_and_spend_counts_by_the_step(
    store: Store, shop: int, clock: SetClock
) -> None:
    early = await put(store, shop, "A0", 90_000)
    clock.advance(timedelta(minutes=1))
    draw = await opened(store, shop, draft(entry_by=EntryBy.SPEND, entry_per=30_000, per_day=4))
    assert early.customer_id is not None
    await put(store, shop, "A0", 95_000, placed_at=NOON)
    assert await entries_of(store, draw, early.customer_id) == []
    await put(store, shop, "A1", 99_999)
    assert len(await entries_of(store, draw, early.customer_id)) == 3
    await put(store, shop, "A2", 99_999)
    assert len(await entries_of(store, draw, early.customer_id)) == 4
    clock.advance(timedelta(days=1))
    await put(store, shop, "A3", 30_000)
    assert len(await entries_of(store, draw, early.customer_id)) == 5


@BOTH
async def test_a_returned_order_takes_entries_back_then_the_prize(store: Store, shop: int) -> None:
    draw = await opened(store, shop, draft((POINTS, 10_000), entry_by=EntryBy.SPEND, entry_per=30_000))
    state = await put(store, shop, "A1", 60_000)
    who = state.customer_id
    assert who is not None
    first, second = await entries_of(store, draw, who)
    await store.write(entries.draw, first, who)
    await put(store, shop, "A1", 60_000, refunded=30_000)
    assert await entries_of(store, draw, who) == []
    with pytest.raises(NoEntryError):
        await store.write(entries.draw, second, who)
    assert (await store.read(points.balances, who))[0] == 30 + 50
    await put(store, shop, "A1", 60_000, status=Status.CANCELLED)
    assert (await store.read(points.balances, who))[0] == 0
    win = await store.read(wins.by_key, entries.win_key(draw.id, 1))
    assert win is not None
    assert (win.state, win.reason) == ("withdrawn", "order_returned")
    # The log keeps the draw, and the prize stays out of the drum: whoever re-checks comes to the same.
    assert drawlog.verify(await published(store, draw)) is None
    assert await store.read(proof.faults) == []


@BOTH
async def test_entries_for_points_are_bought_once(store: Store, shop: int) -> None:
    draw = await opened(store, shop, draft(entry_by=EntryBy.POINTS, entry_per=30, per_day=2))
    state = await put(store, shop, "A1", 95_000)
    who = state.customer_id
    assert who is not None
    assert await entries_of(store, draw, who) == []
    one = await store.write(entries.buy, draw.id, who, price=30, key="tap-1")
    assert await store.write(entries.buy, draw.id, who, price=30, key="tap-1") == one
    assert (await store.read(points.balances, who))[0] == 65
    await store.write(entries.buy, draw.id, who, price=30, key="tap-2")
    with pytest.raises(EntryLimitError):
        await store.write(entries.buy, draw.id, who, price=30, key="tap-3")


async def test_a_thing_waits_to_be_handed_over_and_a_sold_out_voucher_is_kept_for_its_winner(
    store: Store, shop: int
) -> None:
    offer = await store.write(
        voucher_programs.add, name="30K", kind=Kind.AMOUNT, value=30_000, shop_id=shop, stock=1
    )  # fmt: skip
    voucher = PrizeInput("Voucher 30K", PrizeKind.VOUCHER, program_id=offer.id, stock=3)
    draw = await opened(store, shop, draft((CUP, 4_000), (voucher, 6_000), entry_by=EntryBy.SPEND, entry_per=10_000))
    state = await put(store, shop, "A1", 80_000)
    assert state.customer_id is not None
    seen = {}
    for drawn in await draw_all(store, draw, state.customer_id):
        if drawn.win is None:
            continue
        seen.setdefault((drawn.prize.kind, drawn.win.state), drawn.win)  # type: ignore[union-attr]
    assert set(seen) >= {("thing", "waiting"), ("voucher", "given"), ("voucher", "missed")}
    assert seen["voucher", "missed"].reason == "sold_out"
    assert await store.read(proof.faults) == []
    cup = seen["thing", "waiting"]
    assert (await store.write(wins.hand_over, cup.id, shop, "staff:1")).state == "handed"
    assert (await store.write(wins.hand_over, cup.id, shop, "staff:1")).state == "handed"
    await store.write(voucher_programs.change, offer.id, stock=9)
    assert (await store.write(wins.again, seen["voucher", "missed"].id, shop)).state == "given"
    assert await store.read(proof.faults) == []


@BOTH
async def test_the_last_prize_is_won_once_however_many_draw_at_once(store: Store, shop: int) -> None:
    draw = await opened(store, shop, draft((replace(CUP, stock=3), 10_000), entry_by=EntryBy.SPEND, entry_per=10_000))
    people = []
    for nth in range(4):
        state = await put(store, shop, f"R{nth}", 20_000, phone=f"+8490312345{nth}")
        assert state.customer_id is not None
        people.append((state.customer_id, await entries_of(store, draw, state.customer_id)))

    async def tap(who: int, entry: int) -> object:
        for _ in range(20):
            try:
                return await store.write(entries.draw, entry, who)
            except MovedError:
                continue
            except DrawClosedError:
                return None
        raise AssertionError("never got through")

    # Each entry is tapped twice, all at once.
    taps = [tap(who, entry) for who, held in people for entry in held for _ in range(2)]
    results = [found for found in await asyncio.gather(*taps) if isinstance(found, Drawn)]
    assert sum(drawn.new for drawn in results) == 3
    assert sum(drawn.new and drawn.win is not None and drawn.win.state == "waiting" for drawn in results) == 3
    log = await store.read(drawlog.lines, draw.id)
    assert [line.number for line in log] == [1, 2, 3]
    # With the last prize gone it is over, and the seed may be seen.
    after = await store.read(draws.get, draw.id)
    assert after.state == "closed"
    assert await store.read(draws.seed_of, after) == SEED
    assert await store.read(proof.faults) == []


@BOTH
async def test_what_was_published_is_frozen_and_the_seed_comes_last(store: Store, shop: int, clock: SetClock) -> None:
    made = await store.write(drafts.add, shop, draft())
    with pytest.raises(InvalidError, match="assured"):
        await store.write(draws.open_draw, made.id, shop, "staff:1", ASSURANCES[:3])
    draw = await store.write(draws.open_draw, made.id, shop, "staff:1", ASSURANCES)
    assert draw.seed_hash
    assert draw.terms
    assert draw.terms["seed_sha256"] == draw.seed_hash
    with pytest.raises(DrawClosedError):
        await store.write(drafts.change, draw.id, shop, draft(name="Khác"))
    assert await store.read(draws.seed_of, draw) is None
    # Nor does a copy of the database tell it, without the installation's secret key.
    kept = sa.select(draws.draws.c.seed).where(draws.draws.c.id == draw.id)
    held = await store.read(lambda session: session.execute(kept).scalar_one())
    assert held != await store.read(draws.secret_seed, draw.id)
    with pytest.raises(SealError):
        Seal("another secret").open(held)
    assert (await store.read(drawlog.document, draw.id))["seed"] is None
    state = await put(store, shop, "A1", 40_000)
    assert state.customer_id is not None
    clock.advance(timedelta(days=7))
    (entry,) = await entries_of(store, draw, state.customer_id)
    with pytest.raises(DrawClosedError):
        await store.write(entries.draw, entry, state.customer_id)
    assert await store.write(draws.close_due) == 1
    assert await store.write(draws.close_due) == 0
    seed = (await store.read(drawlog.document, draw.id))["seed"]
    assert fair.commitment(seed) == draw.seed_hash


REFUSED: list[tuple[str, dict[str, Any]]] = [
        ("name", {"name": " "}), ("odds", {"prizes": ((POINTS, 9_000), (CUP, 1_001))}),
        ("tickets", {"mode": Mode.TICKETS, "tickets": 3, "prizes": ((replace(CUP, stock=4), 0),)}),
        ("prize_2_odds", {"prizes": ((POINTS, 9_000), (CUP, 0))}), ("prizes", {"prizes": ()}),
        ("prize_1_stock", {"prizes": ((replace(CUP, stock=None), 10),)}), ("ends_at", {"ends_at": NOON}),
        ("prize_1_points", {"prizes": ((replace(POINTS, points=0), 10),)}), ("entry_per", {"entry_by": EntryBy.SPEND}),
]  # fmt: skip


async def test_a_draw_that_cannot_be_is_refused_by_its_field(store: Store, shop: int) -> None:
    for field, values in REFUSED:
        with pytest.raises(InvalidError) as refused:
            await store.write(drafts.add, shop, replace(draft(), **values))
        assert refused.value.field == field


# ── The log ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def drawn(store: Store, shop: int) -> Draw:
    draw = await opened(store, shop, draft(entry_by=EntryBy.SPEND, entry_per=10_000))
    state = await put(store, shop, "A1", 120_000)
    assert state.customer_id is not None
    await draw_all(store, draw, state.customer_id)
    return await store.read(draws.get, draw.id)


TAMPERED = {
    "digest": ("UPDATE draw_log SET digest = 'ab' WHERE number = 5", 5),
    "value": ("UPDATE draw_log SET value = value + 1 WHERE number = 5", 5),
    "prize": ("UPDATE draw_log SET place = 2 - place WHERE number = 5", 5),
    "hash": ("UPDATE draw_log SET at = at + 1 WHERE number = 5", 5),
    "number": ("DELETE FROM draw_log WHERE number = 5", 5),
    "count": ("DELETE FROM draw_log WHERE number = 12", 0),
    "end": ("UPDATE draws SET last_hash = 'ab'", 0),
}


class UndoneError(Exception):
    """Thrown at the end of a write, so that nothing of it stays."""


@BOTH
async def test_every_tampering_is_found_at_its_line(store: Store, drawn: Draw) -> None:
    assert await store.read(proof.faults) == []
    await without_triggers(store)
    found: dict[str, Any] = {}

    def tamper(session: Any, statement: str) -> None:
        session.execute(sa.text(statement))
        document = drawlog.document(session, drawn.id, seed=draws.secret_seed(session, drawn.id))
        found["line"], found["faults"] = drawlog.verify(document), proof.faults(session)
        raise UndoneError

    for what, (statement, number) in TAMPERED.items():
        with pytest.raises(UndoneError):
            await store.write(tamper, statement)
        assert (found["line"].number, found["line"].what) == (number, what)
        assert any(f"draw {drawn.id}, {what}" in fault.what for fault in found["faults"]), found


async def test_another_customer_or_entry_gives_another_digest(store: Store, drawn: Draw) -> None:
    document = await published(store, drawn)
    for change in ({"customer": 999}, {"entry": "entry:999"}):
        tampered = json.loads(json.dumps(document))
        tampered["log"][3] |= change
        # Whoever holds the seed can't be fooled by a chain that was made anew.
        before = tampered["log"][2]["hash"]
        for row in tampered["log"][3:]:
            row["hash"] = before = fair.link(before, [row[name] for name in drawlog.LINE])
        tampered["last_hash"] = before
        found = drawlog.verify(tampered)
        assert found is not None
        assert (found.number, found.what) == (4, "digest")


async def test_terms_and_seed_are_part_of_the_proof(store: Store, drawn: Draw) -> None:
    document = await published(store, drawn)
    other = json.loads(json.dumps(document))
    other["terms"]["prizes"][0]["odds"] = 9_000
    found = drawlog.verify(other)
    assert found is not None
    assert found.number == 1
    other = json.loads(json.dumps(document)) | {"seed": "ab" * 32}
    assert (found := drawlog.verify(other)) is not None
    assert found.what == "seed"
    # While it is open nobody has the seed: the chain is proven all the same.
    assert drawlog.verify(document | {"seed": None}) is None
    repeated = json.loads(json.dumps(document)) | {"seed": None}
    repeated["log"][2]["digest"] = repeated["log"][1]["digest"]
    assert (found := drawlog.verify(repeated)) is not None
    assert found.number == 3


@BOTH
async def test_a_line_of_the_log_is_never_changed_or_deleted(store: Store, drawn: Draw) -> None:
    for statement in ("UPDATE draw_log SET place = 1", "DELETE FROM draw_log"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            await store.write(lambda s, said=statement: s.execute(sa.text(said)))


async def test_a_missing_prize_is_found(store: Store, drawn: Draw) -> None:
    def steal(session: Any) -> None:
        session.execute(sa.text("UPDATE accounts SET balance = balance - 1 WHERE owner = 'prize' AND name = 'stock'"))

    await store.write(steal)
    assert {"prize stock", "prizes drawn"} <= {fault.what for fault in await store.read(proof.faults)}


@BOTH
async def test_a_merge_carries_entries_and_wins_over(store: Store, shop: int) -> None:
    draw = await opened(store, shop, draft((POINTS, 10_000), entry_by=EntryBy.SPEND, entry_per=30_000))
    state = await put(store, shop, "A1", 60_000)
    guest = state.customer_id
    assert guest is not None
    first, second = await entries_of(store, draw, guest)
    await store.write(entries.draw, first, guest)
    person = await store.write(customers.create, name="Lan")
    await store.write(claims.merge, person, guest)
    again = await store.write(entries.draw, first, person)
    assert not again.new
    await store.write(entries.draw, second, person)
    assert len(await store.read(wins.of_customer, person)) == 2
    assert drawlog.verify(await published(store, draw)) is None
    assert await store.read(proof.faults) == []


async def without_triggers(store: Store) -> None:
    def drop(connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("ALTER TABLE draw_log DISABLE TRIGGER USER"))
            return
        for action in ("update", "delete"):
            connection.execute(sa.text(f"DROP TRIGGER draw_log_no_{action}"))

    await store.run_on_connection(drop)


async def test_the_voucher_of_a_win_is_ended_while_it_is_unused(store: Store, shop: int) -> None:
    offer = await store.write(voucher_programs.add, name="Trà", kind=Kind.GIFT, value=0, shop_id=shop)
    gift = PrizeInput("Ly trà", PrizeKind.VOUCHER, program_id=offer.id, stock=5)
    draw = await opened(store, shop, draft((gift, 10_000)))
    state = await put(store, shop, "A1", 60_000)
    assert state.customer_id is not None
    (won,) = await draw_all(store, draw, state.customer_id)
    assert len(await store.read(vouchers.wallet, state.customer_id)) == 1
    await put(store, shop, "A1", 60_000, status=Status.CANCELLED)
    assert await store.read(vouchers.wallet, state.customer_id) == []
    assert won.win is not None
    assert (await store.read(wins.get, won.win.id)).state == "withdrawn"
    assert await store.read(ledger.check) == []


# ── Checked by a stranger ───────────────────────────────────────────────────────────────────────────


RECIPE = Path(__file__).parent.parent / "docs/lucky-draw.md"


async def test_the_published_recipe_comes_to_the_same(store: Store, drawn: Draw, tmp_path: Path) -> None:
    """The script of docs/lucky-draw.md, run as it stands there."""
    await store.write(draws.close, drawn.id)
    document = json.loads(json.dumps(await store.read(drawlog.document, drawn.id)))
    script = re.search(r"```python\n(.*?)```", RECIPE.read_text(encoding="utf-8"), re.DOTALL)
    assert script is not None

    def run(name: str, content: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        path = tmp_path / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return subprocess.run([sys.executable, "-c", script[1], str(path)], capture_output=True, text=True, check=False)

    right = run("log.json", document)
    assert (right.returncode, right.stdout) == (0, "12 draws, each as it should be\n"), right.stderr
    document["log"][4]["prize"] = 2 - document["log"][4]["prize"]
    wrong = run("tampered.json", document)
    assert wrong.returncode == 1
    assert "draw 5 differs" in wrong.stderr


async def test_the_command_names_the_first_draw_that_differs(
    store: Store, drawn: Draw, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    await without_triggers(store)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGULARS_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("REGULARS_SECRET_KEY", SECRET_KEY)

    async def command(*words: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(status, ["draw", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    number = str(drawn.id)
    assert await command("verify", number) == (0, "12 draws, each as it should be\n", "")
    code, exported, _ = await command("export", number)
    assert code == 0
    assert json.loads(exported)["seed"] is None
    file = tmp_path / "log.json"
    file.write_text(exported, encoding="utf-8")
    code, out, err = await command("verify", str(file))
    assert code == 0
    assert out.startswith("12 draws")
    assert "seed" in err
    await store.write(lambda s: s.execute(sa.text("UPDATE draw_log SET value = value + 1 WHERE number = 7")))
    code, out, err = await command("verify", number)
    assert (code, out) == (1, "")
    assert "draw 7 differs in its value" in err
    file.write_text(exported.replace('"customer": 1,', '"customer": 2,', 3), encoding="utf-8")
    code, _, err = await command("verify", str(file))
    assert code == 1
    assert "draw 1 differs" in err
    for wrong in ("999", "nowhere.json", str(RECIPE)):
        code, _, err = await command("verify", wrong)
        assert (code, len(err.splitlines())) == (2, 1), err
