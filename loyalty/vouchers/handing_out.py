"""Handing out: a voucher for each of many customers, a few at a time.

The rule is a generator that is committed at each step, so it shows its progress and can be stopped; each customer's voucher
has a key of its own, so that the same list again gives only to whom it gave nothing yet.
"""

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from loyalty.customers import customers
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import in_period
from loyalty.vouchers.vouchers import LimitError, SoldOutError
from store.clock import now
from store.errors import NotFoundError

CHUNK = 25


@dataclass(frozen=True, slots=True)
class Handed:
    """How far it is: `done` of `of` customers; `given` now, `known` who had theirs by an earlier run, and who got none by
    reason (`limit_reached`, `sold_out`, `not_found`).
    """

    done: int
    of: int
    given: int
    known: int
    refused: Counter[str] = field(default_factory=Counter)


def to_many(
    session: Session, program_id: int, customer_ids: Sequence[int], *, key: str, tell: bool = True
) -> Generator[Handed, None, None]:
    """Give each of some customers one voucher, for one cause (`key`): once each, however often this runs.

    For `store.stream`. Raises NotFoundError (no such programme), SharedProgramError.
    """
    given = known = 0
    refused: Counter[str] = Counter()
    for start in range(0, len(customer_ids), CHUNK):
        chunk = customer_ids[start : start + CHUNK]
        offer = voucher_programs.get(session, program_id, lock=True)
        over = not in_period(offer, now(session))
        for customer_id in chunk:
            try:
                owner = customers.resolve(session, customer_id)
                # Who was merged since an earlier run has theirs under the number they had then.
                if any(vouchers.by_key(session, f"{key}:{number}") for number in {customer_id, owner}):
                    known += 1
                    continue
                if over:
                    refused[SoldOutError.code] += 1
                    continue
                vouchers.issue(session, program_id, owner, key=f"{key}:{owner}", tell=tell)
                given += 1
            except (LimitError, SoldOutError, NotFoundError) as error:
                refused[error.code] += 1
        yield Handed(start + len(chunk), len(customer_ids), given, known, Counter(refused))
