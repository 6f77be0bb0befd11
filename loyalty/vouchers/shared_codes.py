"""Shared codes: one code for everybody (`TET2027`), on a poster or in a post.

How often it can be used is its programme's stock, an account of uses; how often by one customer and on one day are the
programme's limits (see redemptions). A code that people can remember can be guessed: it should be worth little, and wrong
ones are counted as everywhere.
"""

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from loyalty.vouchers import voucher_programs
from loyalty.vouchers.vouchers import (
    FIELDS,
    OWN_CODE,
    SharedProgramError,
    Voucher,
    VoucherState,
    by_code,
    folded,
    get,
    mark,
    vouchers,
)
from store.clock import now
from store.errors import InvalidError


def add(session: Session, program_id: int, code: str) -> Voucher:
    """Make a code that everybody may use (`TET2027`), of a shared programme; the same again is the same.

    Raises InvalidError("code") (`format`, or `taken` by another voucher), SharedProgramError (a programme of single codes),
    NotFoundError.
    """
    offer = voucher_programs.get(session, program_id, lock=True)
    if not offer.shared:
        raise SharedProgramError(f"program {program_id} gives single codes")
    wanted = folded(code)
    if not OWN_CODE.fullmatch(wanted):
        raise InvalidError("code", "format", code)
    known = by_code(session, wanted)
    if known is not None:
        if known.program_id != program_id:
            raise InvalidError("code", "taken", code)
        mark(session, known.id, VoucherState.OPEN)
        return get(session, known.id)
    try:
        with session.begin_nested():
            row = session.execute(
                insert(vouchers)
                .values(
                    program_id=program_id, code=wanted, customer_id=None, state=VoucherState.OPEN.value,
                    issued_at=now(session), expires_at=None, key=None, shared=True,
                )
                .returning(*FIELDS)
            ).one()  # fmt: skip
    except IntegrityError as error:
        raise InvalidError("code", "taken", code) from error
    return Voucher(*row)


def of_program(session: Session, program_id: int) -> list[Voucher]:
    """The codes for everybody of a programme that can be used, oldest first."""
    rows = session.execute(
        select(*FIELDS)
        .where(
            vouchers.c.program_id == program_id, vouchers.c.shared.is_(True),
            vouchers.c.state == VoucherState.OPEN.value,
        )
        .order_by(vouchers.c.id)
    )  # fmt: skip
    return [Voucher(*row) for row in rows]
