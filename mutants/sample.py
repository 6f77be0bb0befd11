"""Leave a random sample of a session's mutants to be run: `python sample.py SESSION COUNT SEED`, after Cosmic Ray's own filters.

Those that are left out are taken out of the session, so that its report counts what was run. Mutants that are no Python (a
signature's `*` for a `-`) are no test's merit: they are left out, too.
"""

import random
import sys
import warnings
from itertools import islice

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import WorkItem


def compiles(item: WorkItem) -> bool:
    (one,) = item.mutations
    source = one.module_path.read_text(encoding="utf-8")
    try:
        compile(mutate_code(source, get_operator(one.operator_name)(**one.operator_args), one.occurrence), "", "exec")
    except SyntaxError:
        return False
    return True


def main(session: str, count: int, seed: int) -> None:
    warnings.simplefilter("ignore", SyntaxWarning)
    with use_db(session) as db:
        done = {job_id for job_id, _ in db.results}
        waiting = sorted(
            (item for item in db.work_items if item.job_id not in done),
            key=lambda item: [
                (m.module_path.as_posix(), m.start_pos, m.operator_name, m.occurrence) for m in item.mutations
            ],
        )
        random.Random(seed).shuffle(waiting)
        kept = list(islice(filter(compiles, waiting), count))
        db.clear()
        db.add_work_items(kept)
    print(f"{len(kept)} of {len(waiting)} mutants")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
