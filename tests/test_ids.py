"""Row numbers: they rise, fit a database's 64 bits, and two processes don't give the same."""

from store.ids import Ids


def test_numbers_rise_and_fit_however_many_are_asked_for_at_once() -> None:
    ids = Ids()
    given = [ids.new() for _ in range(20_000)]
    assert given == sorted(set(given))
    assert given[-1] < 2**63


def test_replicas_that_start_together_give_other_numbers() -> None:
    starts, replicas = 200, 4
    alike = 0
    for _ in range(starts):
        given = [{one.new() >> 8 & 0x3FFF for _ in range(3)} for one in (Ids() for _ in range(replicas))]
        alike += len(set.union(*given)) < replicas
    assert alike <= 2
