"""Leave a random sample of a session's mutants to be run: `python sample.py SESSION COUNT SEED`, after Cosmic Ray's own filters.

Those that are left out are taken out of the session, so that its report counts what was run.
"""

import random
import sys

from cosmic_ray.work_db import use_db


def main(session: str, count: int, seed: int) -> None:
    with use_db(session) as db:
        done = {job_id for job_id, _ in db.results}
        waiting = sorted(
            (item for item in db.work_items if item.job_id not in done),
            key=lambda item: [
                (m.module_path.as_posix(), m.start_pos, m.operator_name, m.occurrence) for m in item.mutations
            ],
        )
        kept = random.Random(seed).sample(waiting, min(count, len(waiting)))
        db.clear()
        db.add_work_items(kept)
    print(f"{len(kept)} of {len(waiting)} mutants")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
