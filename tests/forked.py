"""The product's processes, forked from one that has imported it: to start from nothing takes each of them seconds to import.

What they do is `python -m bot …` all the same; that it starts from nothing too, tests of the command line and the wheel show.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["bot.__main__", "bot.app"])


class Forked:
    """A command of the product under way."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self._process = _SERVER.Process(target=_run, args=(tuple(command), environment, str(log)))
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, sign: signal.Signals) -> None:
        os.kill(self.pid, sign)

    async def wait(self) -> int:
        await asyncio.to_thread(self._process.join)
        assert self._process.exitcode is not None
        return self._process.exitcode


def _run(command: tuple[str, ...], environment: dict[str, str], log: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(Path(log).parent)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    import sys

    from bot import __main__ as program

    sys.argv = ["regulars", *command]
    program.main()
