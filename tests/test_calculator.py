"""The deadlines' calculator, as a table: open hours, lunch, midnight, Tết, time zones, pauses, reopened tickets, new policies."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.deadlines import calculator
from support.deadlines.calculator import Hours, Timer

VN, BERLIN = "Asia/Ho_Chi_Minh", "Europe/Berlin"


def clock(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def day(text: str) -> calculator.Day:
    return tuple((clock(begin), clock(end)) for begin, end in (one.split("-") for one in text.split()))


WORKDAY = day("8:00-12:00 13:00-17:30")
OFFICE = Hours(VN, (*(WORKDAY,) * 5, day("8:00-12:00"), ()), "VN")
"""Closed for lunch, on Saturday afternoons, Sundays and Vietnam's holidays."""
CAFE = Hours(VN, (day("7:00-22:00"),) * 7)
BAR = Hours(VN, ((), *(day("18:00-26:00"),) * 6))
"""Open until 2 in the morning, never on a Monday evening."""
ALWAYS = Hours(VN, (day("0:00-24:00"),) * 7)
GERMAN = Hours(BERLIN, (day("8:00-20:00"),) * 7)
GERMAN_ALWAYS = Hours(BERLIN, (day("0:00-24:00"),) * 7)
NIGHT = Hours(BERLIN, (day("22:00-30:00"),) * 7)
SHIFTS = Hours(VN, (day("6:00-9:00 11:00-14:00 17:00-21:00"),) * 7)
OWN = Hours(VN, (WORKDAY,) * 7, "VN", {
    date(2026, 3, 10): (), date(2026, 3, 11): day("9:00-11:00"), date(2026, 2, 18): day("9:00-12:00"),
})  # fmt: skip
"""Closed on 10 March, short on the 11th, and open for a morning in the middle of Tết."""
SINGAPORE = Hours("Asia/Singapore", (WORKDAY,) * 7, "SG")


def at(text: str, zone: str = VN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


DUE: list[tuple[str, Hours, str, int, str]] = [
    # what, hours, from, minutes of open time, due
    ("in the morning", OFFICE, "2026-03-02 09:00", 60, "2026-03-02 10:00"),
    ("as it opens", OFFICE, "2026-03-02 08:00", 60, "2026-03-02 09:00"),
    ("before it opens", OFFICE, "2026-03-02 06:30", 60, "2026-03-02 09:00"),
    ("a second of work", OFFICE, "2026-03-02 09:00", 0, "2026-03-02 09:00"),
    ("nothing allowed, at night", OFFICE, "2026-03-02 23:00", 0, "2026-03-02 23:00"),
    ("up to lunch exactly", OFFICE, "2026-03-02 11:00", 60, "2026-03-02 12:00"),
    ("over lunch", OFFICE, "2026-03-02 11:30", 60, "2026-03-02 13:30"),
    ("a minute over lunch", OFFICE, "2026-03-02 11:00", 61, "2026-03-02 13:01"),
    ("in the lunch break", OFFICE, "2026-03-02 12:20", 30, "2026-03-02 13:30"),
    ("as lunch begins", OFFICE, "2026-03-02 12:00", 30, "2026-03-02 13:30"),
    ("as lunch ends", OFFICE, "2026-03-02 13:00", 30, "2026-03-02 13:30"),
    ("up to closing exactly", OFFICE, "2026-03-02 16:30", 60, "2026-03-02 17:30"),
    ("into the next day", OFFICE, "2026-03-02 17:00", 60, "2026-03-03 08:30"),
    ("as it closes", OFFICE, "2026-03-02 17:30", 30, "2026-03-03 08:30"),
    ("in the evening", OFFICE, "2026-03-02 21:00", 60, "2026-03-03 09:00"),
    ("at midnight", OFFICE, "2026-03-03 00:00", 60, "2026-03-03 09:00"),
    ("a minute before midnight", OFFICE, "2026-03-02 23:59", 60, "2026-03-03 09:00"),
    ("a whole day of work", OFFICE, "2026-03-02 08:00", 510, "2026-03-02 17:30"),
    ("a day of work and a minute", OFFICE, "2026-03-02 08:00", 511, "2026-03-03 08:01"),
    ("from noon to noon", OFFICE, "2026-03-02 13:00", 510, "2026-03-03 12:00"),
    ("three days of work", OFFICE, "2026-03-02 08:00", 1530, "2026-03-04 17:30"),
    ("Friday evening into Saturday", OFFICE, "2026-03-06 17:00", 60, "2026-03-07 08:30"),
    ("over the weekend", OFFICE, "2026-03-07 11:30", 60, "2026-03-09 08:30"),
    ("on Saturday afternoon", OFFICE, "2026-03-07 15:00", 60, "2026-03-09 09:00"),
    ("on Sunday", OFFICE, "2026-03-08 10:00", 60, "2026-03-09 09:00"),
    ("a month end", OFFICE, "2026-03-31 17:00", 60, "2026-04-01 08:30"),
    ("a leap day", OFFICE, "2028-02-28 17:00", 60, "2028-02-29 08:30"),
    # Tết 2026 is from Monday 16 to Friday 20 February, Saturday is a working morning.
    ("before Tết", OFFICE, "2026-02-14 11:30", 60, "2026-02-21 08:30"),
    ("on New Year's Eve of the moon", OFFICE, "2026-02-16 10:00", 60, "2026-02-21 09:00"),
    ("in the middle of Tết", OFFICE, "2026-02-18 10:00", 240, "2026-02-21 12:00"),
    ("over Tết and the Sunday after", OFFICE, "2026-02-14 08:00", 481, "2026-02-23 08:01"),
    ("Tết of the next year", OFFICE, "2027-02-03 17:00", 60, "2027-02-11 08:30"),
    ("the shop that works at Tết", CAFE, "2026-02-17 08:00", 60, "2026-02-17 09:00"),
    ("a morning of its own at Tết", OWN, "2026-02-17 08:00", 60, "2026-02-18 10:00"),
    ("more than its morning at Tết", OWN, "2026-02-18 11:30", 60, "2026-02-21 08:30"),
    ("over New Year", OFFICE, "2025-12-31 17:00", 60, "2026-01-02 08:30"),
    ("the Hùng kings' day, made up for on Monday", OFFICE, "2026-04-25 11:30", 60, "2026-04-28 08:30"),
    ("the end of April", OFFICE, "2026-04-29 17:00", 60, "2026-05-02 08:30"),
    ("National Day's two days", OFFICE, "2025-08-30 11:30", 60, "2025-09-03 08:30"),
    ("a closing day of its own", OWN, "2026-03-09 17:00", 60, "2026-03-11 09:30"),
    ("over its short day", OWN, "2026-03-11 10:30", 60, "2026-03-12 08:30"),
    ("another country's clock and holidays", SINGAPORE, "2026-08-08 17:00", 60, "2026-08-11 08:00"),
    ("holidays are the calendar's, not the world's", SINGAPORE, "2026-04-30 08:00", 60, "2026-04-30 09:00"),
    ("past midnight in a bar", BAR, "2026-03-03 23:30", 60, "2026-03-04 00:30"),
    ("after midnight in a bar", BAR, "2026-03-04 01:30", 60, "2026-03-04 18:30"),
    ("up to a bar's closing", BAR, "2026-03-04 01:00", 60, "2026-03-04 02:00"),
    ("Sunday night is Monday morning", BAR, "2026-03-09 01:30", 30, "2026-03-09 02:00"),
    ("a bar's Monday", BAR, "2026-03-09 01:30", 60, "2026-03-10 18:30"),
    ("three shifts, in the first", SHIFTS, "2026-03-02 08:30", 60, "2026-03-02 11:30"),
    ("three shifts, all of them", SHIFTS, "2026-03-02 06:00", 600, "2026-03-02 21:00"),
    ("three shifts, over two gaps", SHIFTS, "2026-03-02 08:00", 300, "2026-03-02 18:00"),
    ("round the clock, over midnight", ALWAYS, "2026-03-02 23:30", 60, "2026-03-03 00:30"),
    ("round the clock, a week", ALWAYS, "2026-03-02 10:00", 7 * 1440, "2026-03-09 10:00"),
]
BERLIN_DUE: list[tuple[str, Hours, str, int, str]] = [
    ("in summer", GERMAN, "2026-07-01 19:30", 60, "2026-07-02 08:30"),
    ("clocks forward, round the clock", GERMAN_ALWAYS, "2026-03-29 01:00", 120, "2026-03-29 04:00"),
    ("clocks back, round the clock", GERMAN_ALWAYS, "2026-10-25 01:00", 180, "2026-10-25 03:00"),
    ("clocks forward, a day has 23 hours", GERMAN_ALWAYS, "2026-03-28 12:00", 1440, "2026-03-29 13:00"),
    ("clocks back, a day has 25 hours", GERMAN_ALWAYS, "2026-10-24 12:00", 1440, "2026-10-25 11:00"),
    ("open hours after the change keep their wall clock", GERMAN, "2026-03-28 19:30", 60, "2026-03-29 08:30"),
    ("open hours after the change back", GERMAN, "2026-10-24 19:30", 60, "2026-10-25 08:30"),
    ("a night shift is an hour shorter", NIGHT, "2026-03-28 22:00", 8 * 60, "2026-03-29 23:00"),
    ("a night shift is an hour longer", NIGHT, "2026-10-24 22:00", 9 * 60, "2026-10-25 06:00"),
]  # fmt: skip


@pytest.mark.parametrize(("hours", "start", "minutes", "due"), [one[1:] for one in DUE], ids=[one[0] for one in DUE])
def test_due(hours: Hours, start: str, minutes: int, due: str) -> None:
    assert calculator.due(hours, at(start), timedelta(minutes=minutes)) == at(due)


@pytest.mark.parametrize(
    ("hours", "start", "minutes", "due"), [one[1:] for one in BERLIN_DUE], ids=[one[0] for one in BERLIN_DUE]
)
def test_due_where_clocks_are_changed(hours: Hours, start: str, minutes: int, due: str) -> None:
    assert calculator.due(hours, at(start, BERLIN), timedelta(minutes=minutes)) == at(due, BERLIN)


Step = tuple[str, str, int | Hours | None]
LIFE: list[tuple[str, list[Step], str | None]] = [
    # what; (what happens, when, minutes or hours); due
    ("runs", [("start", "2026-03-02 09:00", None)], "2026-03-02 11:00"),
    ("stands still", [("start", "2026-03-02 09:00", None), ("stop", "2026-03-02 10:00", None)], None),
    ("paused and gone on", [
        ("start", "2026-03-02 09:00", None), ("stop", "2026-03-02 10:00", None), ("start", "2026-03-03 09:00", None),
    ], "2026-03-03 10:00"),
    ("paused at night costs nothing", [
        ("start", "2026-03-02 17:00", None), ("stop", "2026-03-02 23:00", None), ("start", "2026-03-03 05:00", None),
    ], "2026-03-03 09:30"),
    ("paused over Tết", [
        ("start", "2026-02-14 11:00", None), ("stop", "2026-02-14 11:40", None), ("start", "2026-02-18 10:00", None),
    ], "2026-02-21 09:20"),
    ("paused three times", [
        ("start", "2026-03-02 08:00", None), ("stop", "2026-03-02 08:30", None),
        ("start", "2026-03-02 09:00", None), ("stop", "2026-03-02 09:30", None),
        ("start", "2026-03-02 11:30", None), ("stop", "2026-03-02 13:15", None), ("start", "2026-03-02 15:00", None),
    ], "2026-03-02 15:15"),
    ("started twice is started once", [
        ("start", "2026-03-02 09:00", None), ("start", "2026-03-02 10:00", None),
    ], "2026-03-02 11:00"),
    ("reopened a week later, with what was left", [
        ("start", "2026-03-02 09:00", None), ("stop", "2026-03-02 10:30", None), ("start", "2026-03-09 09:00", None),
    ], "2026-03-09 09:30"),
    ("reopened with nothing left", [
        ("start", "2026-03-02 09:00", None), ("stop", "2026-03-02 17:00", None), ("start", "2026-03-09 09:00", None),
    ], "2026-03-09 09:00"),
    ("reopened in the lunch break", [
        ("start", "2026-03-02 09:00", None), ("stop", "2026-03-02 10:30", None), ("start", "2026-03-09 12:30", None),
    ], "2026-03-09 13:30"),
    ("a shorter allowance", [("start", "2026-03-02 09:00", None), ("allow", "", 30)], "2026-03-02 09:30"),
    ("a longer allowance", [("start", "2026-03-02 09:00", None), ("allow", "", 300)], "2026-03-02 15:00"),
    ("an allowance that was used up already", [
        ("start", "2026-03-02 09:00", None), ("stop", "2026-03-02 11:00", None),
        ("allow", "", 30), ("start", "2026-03-02 14:00", None),
    ], "2026-03-02 14:00"),
    ("no deadline any more", [("start", "2026-03-02 09:00", None), ("allow", "", None)], None),
    ("longer hours meanwhile", [
        ("start", "2026-03-02 17:00", None), ("move", "2026-03-02 18:00", CAFE),
    ], "2026-03-02 19:30"),
    ("shorter hours meanwhile keep what was taken", [
        ("start", "2026-03-02 16:30", None), ("move", "2026-03-02 17:00", BAR),
    ], "2026-03-03 19:30"),
    ("hours that change while it stands still", [
        ("start", "2026-03-02 16:30", None), ("stop", "2026-03-02 17:00", None), ("move", "2026-03-02 18:00", CAFE),
        ("start", "2026-03-02 20:00", None),
    ], "2026-03-02 21:30"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "due"), [one[1:] for one in LIFE], ids=[one[0] for one in LIFE])
def test_the_life_of_a_deadline(steps: list[Step], due: str | None) -> None:
    """Two hours of open time, from start to pause to the end."""
    timer, hours = Timer(timedelta(hours=2)), OFFICE
    for what, when, value in steps:
        if what == "start":
            timer = timer.start(at(when))
        elif what == "stop":
            timer = timer.stop(hours, at(when))
        elif what == "allow":
            assert not isinstance(value, Hours)
            timer = timer.allow(None if value is None else timedelta(minutes=value))
        else:
            assert isinstance(value, Hours)
            timer, hours = timer.move(hours, value, at(when)), value
    assert timer.due(hours) == (at(due) if due else None)


def test_a_warning_comes_when_its_share_is_taken() -> None:
    timer = Timer(timedelta(hours=4)).start(at("2026-03-02 10:00"))
    assert timer.due(OFFICE, 75) == at("2026-03-02 14:00")
    assert timer.due(OFFICE) == at("2026-03-02 15:00")


OPEN: list[tuple[str, Hours, str, bool, str | None]] = [
    ("at opening", OFFICE, "2026-03-02 08:00", True, "2026-03-02 08:00"),
    ("at closing", OFFICE, "2026-03-02 17:30", False, "2026-03-03 08:00"),
    ("at lunch", OFFICE, "2026-03-02 12:30", False, "2026-03-02 13:00"),
    ("at Tết", OFFICE, "2026-02-17 09:00", False, "2026-02-21 08:00"),
    ("after midnight", BAR, "2026-03-04 01:59", True, "2026-03-04 01:59"),
    ("round the clock", ALWAYS, "2026-03-04 00:00", True, "2026-03-04 00:00"),
    ("never", Hours(VN, ((),) * 7), "2026-03-02 09:00", False, None),
]


@pytest.mark.parametrize(
    ("hours", "moment", "is_open", "next_at"), [one[1:] for one in OPEN], ids=[one[0] for one in OPEN]
)
def test_open(hours: Hours, moment: str, is_open: bool, next_at: str | None) -> None:
    assert calculator.is_open(hours, at(moment)) is is_open
    assert calculator.opens_next(hours, at(moment)) == (at(next_at) if next_at else None)


def test_never_open_is_never_due() -> None:
    with pytest.raises(ValueError, match="never open"):
        calculator.due(Hours(VN, ((),) * 7), at("2026-03-02 09:00"), timedelta(minutes=1))


MINUTE = timedelta(minutes=1)
MOMENTS = st.integers(0, 400 * 1440).map(lambda minutes: at("2026-01-01 00:00") + minutes * MINUTE)


@settings(max_examples=60, deadline=None)
@given(
    hours=st.sampled_from([OFFICE, CAFE, BAR, ALWAYS, SHIFTS, OWN, GERMAN, NIGHT]),
    start=MOMENTS,
    minutes=st.integers(1, 5000),
)
def test_what_is_due_was_worked(hours: Hours, start: datetime, minutes: int) -> None:
    """Counting minute by minute, as somebody who sits there with a watch, comes to the same."""
    due = calculator.due(hours, start, minutes * MINUTE)
    assert calculator.worked(hours, start, due) == minutes * MINUTE
    assert calculator.worked(hours, start, due - MINUTE) == (minutes - 1) * MINUTE


@settings(max_examples=20, deadline=None)
@given(hours=st.sampled_from([OFFICE, BAR, SHIFTS, OWN, NIGHT]), start=MOMENTS, minutes=st.integers(1, 3000))
def test_worked_minute_by_minute(hours: Hours, start: datetime, minutes: int) -> None:
    def wall_clock_says_open(moment: datetime) -> bool:
        local = moment.astimezone(ZoneInfo(hours.zone))
        minute, today = local.hour * 60 + local.minute, local.date()
        return any(a <= minute < b for a, b in hours.on(today)) or any(
            a <= minute + 1440 < b for a, b in hours.on(today - timedelta(days=1))
        )

    counted = sum(wall_clock_says_open(start + number * MINUTE) for number in range(minutes))
    assert calculator.worked(hours, start, start + minutes * MINUTE) == counted * MINUTE
