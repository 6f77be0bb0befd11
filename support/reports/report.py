"""A report: all that its page shows of a period, counted over `rows`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self, TypeVar
from zoneinfo import ZoneInfo

from store.clock import midnight
from support.reports import figures
from support.reports.figures import Bucket, Figures
from support.reports.rows import Of, Rows

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to see: days of a shop, both included, and of what (empty: all). `shops` are those whose reports
    they may see, to be set beside each other. `recent`: these are the days up to today, however often it is asked.
    """

    shop_id: int
    shops: tuple[int, ...]
    zone: str
    first: date
    last: date
    topic: str = ""
    agent: int | None = None
    recent: bool = False

    @property
    def clock(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def since(self) -> datetime:
        return midnight(self.first, self.clock)

    @property
    def until(self) -> datetime:
        """The moment after the last one."""
        return midnight(self.last + timedelta(days=1), self.clock)

    @property
    def before(self) -> datetime:
        """Since when as many days lie before these."""
        return midnight(self.first - (self.last - self.first) - timedelta(days=1), self.clock)

    @property
    def key(self) -> str:
        """Names what is asked, so that two who ask the same find the same."""
        days = (self.last - self.first).days + 1
        period = f"{days} days" if self.recent else f"{self.first}–{self.last}"
        return f"{period} of {self.shop_id} among {self.shops}, topic {self.topic or '-'}, agent {self.agent or '-'}"

    def keeps(self, one: Of) -> bool:
        return one.shop_id == self.shop_id and self.topic in {"", one.topic} and self.agent in {None, one.agent_id}


@dataclass(frozen=True, slots=True)
class Report:
    """The period's figures and those of as many days before it; its course, and customers' messages by weekday and hour; and
    the figures of each topic, agent (None: nobody yet) and shop with anything in it, the busiest first. Of the shops all is
    counted, whatever topic or agent was asked for.
    """

    first: date
    last: date
    now: Figures
    before: Figures
    course: list[Bucket]
    hours: list[list[int]]
    topics: list[tuple[str, Figures]]
    agents: list[tuple[int | None, Figures]]
    shops: list[tuple[int, Figures]]

    @classmethod
    def of(cls, every: Rows, asked: Asked) -> Self:
        """Counted over the rows from `asked.before` until `asked.until`."""
        since, until, zone = asked.since, asked.until, asked.clock
        kept = every.only(asked.keeps)

        def parts(group: Rows, key: Callable[[Of], K]) -> list[tuple[K, Figures]]:
            each = [(one, figures.of(part, since, until)) for one, part in group.by(key).items()]
            busy = [one for one in each if one[1].opened or one[1].solved or one[1].backlog or one[1].answered]
            return sorted(busy, key=lambda one: -one[1].opened - one[1].solved)

        return cls(
            asked.first, asked.last, figures.of(kept, since, until), figures.of(kept, asked.before, since),
            figures.course(kept, asked.first, asked.last, zone), figures.clock_hours(kept, since, until, zone),
            parts(kept, lambda row: row.topic), parts(kept, lambda row: row.agent_id), parts(every, lambda row: row.shop_id),
        )  # fmt: skip
