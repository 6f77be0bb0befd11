"""Moments in words: `2d`, `90 phút`, `14:30`, `9h`, `mai 9h`, `thứ hai`, `25/12 8h`, `tomorrow 2pm`, `monday`; marks or none."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from store.text import fold

SPAN_MAX = timedelta(days=366)
MORNING = time(9)
DAWN = 6
"""`6h` and later are times of day, earlier ones spans."""

_UNITS = {
    "m": 1, "p": 1, "ph": 1, "min": 1, "mins": 1, "minute": 1, "minutes": 1, "phut": 1,
    "h": 60, "hour": 60, "hours": 60, "gio": 60, "tieng": 60,
    "d": 1440, "day": 1440, "days": 1440, "ngay": 1440,
    "w": 10080, "week": 10080, "weeks": 10080, "tuan": 10080,
}  # fmt: skip
_SPAN = re.compile(rf"(?:(?:in|sau)\s+)?(\d{{1,4}})\s*({'|'.join(sorted(_UNITS, key=len, reverse=True))})(?:\s+nua)?")
_TIME = re.compile(
    r"(?:luc\s+|at\s+)?(\d{1,2})(?:\s*(?:h|gio|g|:)\s*(\d{2})?)?\s*(am|pm|sang|trua|chieu|toi)?"
)  # fmt: skip
_DATE = re.compile(r"(?:ngay\s+)?(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}))?")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_WEEKDAYS = (
    ("thu hai", "thu 2", "t2", "monday", "mon"), ("thu ba", "thu 3", "t3", "tuesday", "tue"),
    ("thu tu", "thu 4", "t4", "wednesday", "wed"), ("thu nam", "thu 5", "t5", "thursday", "thu"),
    ("thu sau", "thu 6", "t6", "friday", "fri"), ("thu bay", "thu 7", "t7", "saturday", "sat"),
    ("chu nhat", "cn", "sunday", "sun"),
)  # fmt: skip
_DAYS = {
    "hom nay": 0, "nay": 0, "today": 0, "ngay mai": 1, "mai": 1, "tomorrow": 1, "mot": 2, "ngay kia": 2,
    "tuan sau": 7, "tuan toi": 7, "next week": 7,
}  # fmt: skip
_PARTS = {"sang": time(9), "trua": time(12), "chieu": time(14), "toi": time(19)}
_AFTERNOON = {"pm", "chieu", "toi"}


def parse(text: str, at: datetime, zone: str, morning: time = MORNING) -> datetime | None:
    """The moment that somebody means who writes this at `at`, on the clock of `zone` (an IANA name); None for what can't
    be understood, is over already, or lies more than a year ahead.

    A day without a time means `morning` of it; a time without a day the next moment that the clock shows it.
    """
    words = re.sub(r"\s+", " ", fold(text)).strip()
    local = at.astimezone(ZoneInfo(zone))
    span = _SPAN.fullmatch(words)
    # Bare `9h` and `14 gio` are times of day, as people write them; nobody means 2 at night by `2h`.
    bare = span and span[2] in {"h", "gio"} and words[0].isdecimal() and words.endswith(span[2])
    if span and not (bare and int(span[1]) >= DAWN):
        return _ahead(at + timedelta(minutes=int(span[1]) * _UNITS[span[2]]), at)
    found = _moment(words, local, morning)
    return None if found is None else _ahead(found.astimezone(UTC), at)


def _moment(words: str, local: datetime, morning: time) -> datetime | None:
    """A day, a time, or both in either order."""
    zone = local.tzinfo
    alone = _time(words)
    if alone is not None:
        today = datetime.combine(local.date(), alone, zone)
        return today if today > local else datetime.combine(local.date() + timedelta(days=1), alone, zone)
    parts = words.split(" ")
    for cut in range(len(parts), 0, -1):
        for said, rest in ((parts[:cut], parts[cut:]), (parts[-cut:], parts[:-cut])):
            day = _day(" ".join(said), local.date())
            hour = _time(" ".join(rest)) if rest else morning
            if day is not None and hour is not None:
                found = datetime.combine(day, hour, zone)
                # "thứ hai" on a Monday afternoon is the Monday to come.
                weekly = any(" ".join(said) in names for names in _WEEKDAYS)
                return found + timedelta(days=7) if weekly and found <= local else found
    return None


def _time(words: str) -> time | None:
    if words in _PARTS:
        return _PARTS[words]
    found = _TIME.fullmatch(words)
    if found is None or (words.isdecimal() and found[3] is None):
        return None
    hour, minute = int(found[1]), int(found[2] or 0)
    if found[3] in _AFTERNOON and hour < 12:
        hour += 12
    if found[3] == "am" and hour == 12:
        hour = 0
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _day(words: str, today: date) -> date | None:
    if words in _DAYS:
        return today + timedelta(days=_DAYS[words])
    for number, names in enumerate(_WEEKDAYS):
        if words in names:
            return today + timedelta(days=(number - today.weekday()) % 7)
    iso, written = _ISO.fullmatch(words), _DATE.fullmatch(words)
    try:
        if iso:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if written:
            day = date(int(written[3] or today.year), int(written[2]), int(written[1]))
            return day if written[3] or day >= today else day.replace(year=day.year + 1)
    except ValueError:
        pass
    return None


def _ahead(found: datetime, at: datetime) -> datetime | None:
    return found if at < found <= at + SPAN_MAX else None
