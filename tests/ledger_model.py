"""What the ledger must do, in plain Python with no database: the model that the store is held against, step by step.

A customer has lots, each with what is left of it, and may owe points (`debt`): available = what is left in open lots − debt.
Time is a number. RefusedError calls raise RefusedError and change nothing.
"""

from copy import deepcopy
from dataclasses import dataclass, field

NEVER = 10**9


class RefusedError(Exception):
    """The call may not be done."""


@dataclass
class Lot:
    number: int
    left: int
    expires: int
    """Time it expires; NEVER."""
    pending: int | None = None
    """Time it becomes available, while it isn't."""
    order: str | None = None


@dataclass
class Hold:
    who: str
    taken: list[tuple[Lot, int]]
    """Lots and what was taken of each, in the order of taking."""
    amount: int
    lapses: int
    state: str = "placed"


@dataclass
class Gift:
    """What waits for whoever opens a link: the hold of that key."""

    taken_by: str | None = None


@dataclass
class Person:
    lots: list[Lot] = field(default_factory=list)
    debt: int = 0

    @property
    def open(self) -> list[Lot]:
        """Lots to spend from, soonest-to-expire first."""
        return sorted(
            (lot for lot in self.lots if lot.pending is None and lot.left), key=lambda lot: (lot.expires, lot.number)
        )

    @property
    def available(self) -> int:
        return sum(lot.left for lot in self.open) - self.debt

    @property
    def pending(self) -> int:
        return sum(lot.left for lot in self.lots if lot.pending is not None)


class Ledger:
    """A shop's wallet, its customers, and what was done already under which key."""

    def __init__(self, wallet: int) -> None:
        self.wallet = wallet
        self.redeemed = 0
        self.expired = 0
        self.people: dict[str, Person] = {}
        self.holds: dict[str, Hold] = {}
        self.gifts: dict[str, Gift] = {}
        self.done: set[str] = set()
        self.time = 0
        self._lots = 0

    def once(self, key: str) -> bool:
        """Whether a cause comes for the first time."""
        new = key not in self.done
        self.done.add(key)
        return new

    def earn(self, who: str, points: int, expires: int, pending: int | None = None, order: str | None = None) -> None:
        if points > self.wallet:
            raise RefusedError
        self.wallet -= points
        self._lots += 1
        lot = Lot(self._lots, points, expires, pending, order)
        self.people[who].lots.append(lot)
        if pending is None:
            self._pay_debt(self.people[who], [(lot, points)])

    def _pay_debt(self, person: Person, arrived: list[tuple[Lot, int]]) -> None:
        """What comes pays what is owed first, out of the last that came."""
        for lot, amount in reversed(arrived):
            paid = min(person.debt, amount)
            lot.left -= paid
            person.debt -= paid

    def take(self, person: Person, points: int) -> list[tuple[Lot, int]]:
        taken = []
        for lot in person.open:
            part = min(points, lot.left)
            if part:
                lot.left -= part
                points -= part
                taken.append((lot, part))
        person.debt += points
        return taken

    def spend(self, who: str, points: int) -> None:
        if points > self.people[who].available:
            raise RefusedError
        self.take(self.people[who], points)
        self.redeemed += points

    def hold(self, key: str, who: str, points: int, lapses: int) -> None:
        if points > self.people[who].available:
            raise RefusedError
        self.holds[key] = Hold(who, self.take(self.people[who], points), points, lapses)

    def end_hold(self, key: str, posted: int, state: str) -> None:
        """Post `posted` of a hold; the rest goes back to the lots it came from, the last to expire first."""
        hold = self.holds[key]
        if hold.state != "placed" and not (hold.state == state == "posted" and hold.amount == posted):
            if {hold.state, state} <= {"voided", "lapsed"}:
                return
            raise RefusedError
        if hold.state != "placed":
            return
        back = hold.amount - posted
        person = self.people[hold.who]
        swallowed = min(person.debt, back)
        person.debt -= swallowed
        back -= swallowed
        for lot, part in reversed(hold.taken):
            lot.left += min(part, back)
            back -= min(part, back)
        self.redeemed += posted
        hold.state, hold.amount = state, posted

    def give(self, who: str, to: str, points: int) -> None:
        """Points go to a friend at once, out of the lots that expire soonest; each part expires as it would have."""
        if who == to or points > self.people[who].available:
            raise RefusedError
        self._receive(to, self.take(self.people[who], points))

    def offer(self, key: str, who: str, points: int, lapses: int) -> None:
        """Points wait for a friend who opens the link."""
        self.hold(key, who, points, lapses)
        self.gifts[key] = Gift()

    def accept(self, key: str, who: str) -> None:
        gift, hold = self.gifts[key], self.holds[key]
        if gift.taken_by == who:
            return
        if hold.state != "placed" or hold.lapses <= self.time or hold.who == who:
            raise RefusedError
        hold.state, gift.taken_by = "posted", who
        self._receive(who, hold.taken)

    def _receive(self, who: str, taken: list[tuple[Lot, int]]) -> None:
        """What somebody else's lots gave; what is owed is paid first, out of what expires soonest."""
        person = self.people[who]
        for lot, part in sorted(taken, key=lambda one: (one[0].expires, one[0].number)):
            paid = min(person.debt, part)
            person.debt -= paid
            self._lots += 1
            person.lots.append(Lot(self._lots, part - paid, lot.expires))

    def claw_back(self, who: str, order: str, points: int) -> None:
        """Take back what an order gave: of its own lot, then of others; the rest is owed."""
        person = self.people[who]
        for lot in sorted(person.lots, key=lambda lot: (lot.pending is None, -lot.number)):
            if lot.order == order and points:
                part = min(points, lot.left)
                lot.left -= part
                points -= part
                self.wallet += part
        if points:
            self.take(person, points)
            self.wallet += points

    def mature(self) -> None:
        for person in self.people.values():
            for lot in sorted(person.lots, key=lambda lot: (lot.pending or 0, lot.number)):
                if lot.pending is not None and lot.pending <= self.time:
                    lot.pending = None
                    self._pay_debt(person, [(lot, lot.left)])

    def expire(self) -> None:
        for person in self.people.values():
            for lot in person.open:
                if lot.expires <= self.time:
                    self.expired += lot.left
                    lot.left = 0

    def lapse(self, *, gifts: bool) -> None:
        """Waiting gifts, or all other holds."""
        for key, hold in sorted(self.holds.items(), key=lambda one: one[1].lapses):
            if (key in self.gifts) == gifts and hold.state == "placed" and hold.lapses <= self.time:
                self.end_hold(key, 0, "lapsed")

    def merge(self, who: str, into: str) -> None:
        """Everything one has goes to another; what one owes is paid out of the other's lots, soonest-to-expire first."""
        one, other = self.people.pop(who), self.people[into]
        other.lots += one.lots
        debt, other.debt = one.debt + other.debt, 0
        self.take(other, debt)
        for hold in self.holds.values():
            if hold.who == who:
                hold.who = into
        for gift in self.gifts.values():
            if gift.taken_by == who:
                gift.taken_by = into

    def copy(self) -> "Ledger":
        return deepcopy(self)
