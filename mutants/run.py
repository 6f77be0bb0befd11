"""Run what is left of a session's mutants: `python mutants/run.py mutants/MODULE.toml SESSION`, after `sample.py`.

Each is judged in a fork of this process, which has the libraries and an empty database ready: to begin anew would take longer
than most tests. The files of tests run in the order in which the toml names them, until one fails.
"""

import multiprocessing
import os
import shlex
import sys
import tempfile
from pathlib import Path

import pytest
from cosmic_ray import mutating
from cosmic_ray.config import load_config
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import TestOutcome

from handlers import lazy_types  # noqa: F401  # here and below: imported once, for all
from store import engine, schema  # noqa: F401

FORKS = multiprocessing.get_context("fork")


class AsNamed:
    """Tests in the order in which their files were named, where the tests' own `conftest` has the longest first."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: next(n for n, name in enumerate(config.args) if item.nodeid.startswith(name)))


def judge(command: str, folder: Path) -> None:
    """Run `python -m pytest …` in this process, and end it."""
    sys.dont_write_bytecode = True
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    # As one of many processes it shares their empty database, which stands beside its own folder.
    os.environ["PYTEST_XDIST_WORKER"] = "mutant"
    sys.exit(pytest.main([*shlex.split(command)[3:], f"--basetemp={folder / 'own'}"], plugins=[AsNamed()]))


def tried(command: str, timeout: float, folder: Path) -> tuple[TestOutcome, str]:
    """What became of the code as it stands: in place of Cosmic Ray's `run_tests`."""
    process = FORKS.Process(target=judge, args=(command, folder))
    process.start()
    process.join(timeout)
    process.kill()
    process.join()
    return TestOutcome.KILLED if process.exitcode else TestOutcome.SURVIVED, ""


def main(toml: str, session: str) -> None:
    config = load_config(toml)
    with tempfile.TemporaryDirectory() as name, use_db(session) as db:
        mutating.run_tests = lambda command, timeout: tried(command, timeout, Path(name))
        outcome, _ = mutating.run_tests(config.test_command, config.timeout)
        if outcome is not TestOutcome.SURVIVED:
            sys.exit("The tests fail without any mutant.")
        for item in db.pending_work_items:
            result = mutating.mutate_and_test(item.mutations, config.test_command, config.timeout)
            db.set_result(item.job_id, result)
            (one,) = item.mutations
            print(f"{one.module_path}:{one.start_pos[0]} {one.operator_name} {result.test_outcome.value}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
