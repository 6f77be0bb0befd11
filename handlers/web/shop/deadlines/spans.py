"""How shifts and durations are typed and shown: `8:00–12:00, 13–17:30` and `2h30`."""

import re
from collections.abc import Mapping

from store.errors import InvalidError
from support.deadlines.calculator import DAY_MINUTES, Day, Shift

_SHIFT = re.compile(r"(\d{1,2})(?:[:h.](\d{2})?)?\s*(?:-|–|—|đến|to)\s*(\d{1,2})(?:[:h.](\d{2})?)?")
_DURATION = re.compile(r"(?:(\d{1,4})\s*(?:h|g|giờ|hours?))?\s*(?:(\d{1,5})\s*(?:m|p|ph|phút|min|minutes?)?)?")


def shifts(fields: Mapping[str, str], name: str) -> Day:
    """The shifts of a day; none for an empty field. One that ends at its beginning or before lasts into the next morning.

    Raises InvalidError(name, "shift").
    """
    found: list[Shift] = []
    for part in re.split(r"[,;]| và | and ", fields.get(name, "").strip()):
        if not part.strip():
            continue
        said = _SHIFT.fullmatch(part.strip())
        if said is None:
            raise InvalidError(name, "shift", part[:40])
        begin, end = int(said[1]) * 60 + int(said[2] or 0), int(said[3]) * 60 + int(said[4] or 0)
        if begin >= DAY_MINUTES or end > DAY_MINUTES or int(said[2] or 0) > 59 or int(said[4] or 0) > 59:
            raise InvalidError(name, "shift", part[:40])
        found.append((begin, end if end > begin else end + DAY_MINUTES))
    return tuple(sorted(found))


def shown_shifts(day: Day) -> str:
    """8:00–12:00, 13:00–17:30."""
    return ", ".join(f"{_clock(begin)}–{_clock(end)}" for begin, end in day)


def _clock(minutes: int) -> str:
    hour, minute = divmod(minutes, 60)
    return f"{hour if hour <= 24 else hour - 24}:{minute:02}"


def minutes(fields: Mapping[str, str], name: str) -> int | None:
    """A duration in minutes (`30`, `30m`, `2h`, `2h30`, `2 giờ 30 phút`); None for an empty field.

    Raises InvalidError(name, "duration").
    """
    text = fields.get(name, "").strip().lower()
    if not text:
        return None
    said = _DURATION.fullmatch(text)
    if said is None:
        raise InvalidError(name, "duration", text[:40])
    return int(said[1] or 0) * 60 + int(said[2] or 0)


def shown_minutes(value: int | None) -> str:
    """30m, 2h, 2h30."""
    if value is None:
        return ""
    hour, minute = divmod(value, 60)
    return f"{minute}m" if not hour else f"{hour}h" if not minute else f"{hour}h{minute:02}"
