"""The command line, `regulars`. Exit status 0: done, 1: the operation failed, 2: wrong usage or bad input.

What a command needs is imported when it runs: `regulars --help` answers at once, and what talks to messengers is loaded
only where it talks.
"""

import gc
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

# What is imported stays: looking for garbage among it again and again takes a tenth of the start.
gc.set_threshold(50_000, 20, 20)

app = typer.Typer(
    name="regulars", help="Turn a shop's buyers into regulars.", add_completion=False,
    rich_markup_mode=None, pretty_exceptions_enable=False,
)  # fmt: skip
shop_app = typer.Typer(help="Shops.", rich_markup_mode=None)
staff_app = typer.Typer(help="Who works for the shops.", rich_markup_mode=None)
key_app = typer.Typer(help="Keys of the HTTP API.", rich_markup_mode=None)
import_app = typer.Typer(help="Take in a file of customers or orders.", rich_markup_mode=None)
export_app = typer.Typer(help="Hand out what is kept.", rich_markup_mode=None)
erase_app = typer.Typer(help="Forget who somebody is.", rich_markup_mode=None)
inbox_app = typer.Typer(help="Updates whose handling failed.", rich_markup_mode=None)
draw_app = typer.Typer(help="Lucky draws.", rich_markup_mode=None)
voucher_app = typer.Typer(help="Voucher codes in batches.", rich_markup_mode=None)
for name, group in {
    "shop": shop_app, "staff": staff_app, "apikey": key_app, "import": import_app, "export": export_app,
    "erase": erase_app, "inbox": inbox_app, "vouchers": voucher_app, "draw": draw_app,
}.items():  # fmt: skip
    app.add_typer(group, name=name)

OneShop = Annotated[str | None, typer.Option("--shop", help="Name, slug or number; not needed with one shop.")]
File = Annotated[Path, typer.Argument(metavar="FILE")]


@app.command()
def demo(
    port: Annotated[int | None, typer.Option(help="Where to serve.  [default: 8080]", show_default=False)] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over with a new demo shop.")] = False,
) -> None:
    """Serve a demo shop with customers, orders and staff."""
    import asyncio

    from bot.demo import run as serve
    from bot.settings import load

    asyncio.run(serve(load(port=port), fresh=fresh))


@app.command()
def run(
    only: Annotated[str | None, typer.Option(help="Serve `web` or do the work of the `worker` only.")] = None,
) -> None:
    """Serve the shops: pages, API, messengers."""
    import asyncio

    from bot.commands.opening import refuse
    from bot.settings import load

    if only not in {None, "web", "worker"}:
        refuse(f"--only takes web or worker, not {only}")
    settings = load()
    from bot import app as program

    asyncio.run(program.run(settings, only=only))  # type: ignore[arg-type]  # checked above


@app.command()
def migrate() -> None:
    """Bring the database up to date."""
    from bot.commands import keeping

    keeping.migrate()


@app.command()
def check() -> None:
    """Prove every balance from its postings."""
    from bot.commands import keeping

    keeping.check()


@app.command()
def backup(file: File) -> None:
    """Save the whole database to a file, even while the program runs."""
    from bot.commands import keeping

    keeping.backup(file)


@app.command()
def restore(file: File) -> None:
    """Bring a backup back into an empty database, SQLite or PostgreSQL."""
    from bot.commands import keeping

    keeping.restore(file)


@shop_app.command("add")
def shop_add(name: str) -> None:
    """Open a shop with a new one's defaults."""
    from bot.commands import people

    people.add_shop(name)


@staff_app.command("add")
def staff_add(
    name: str,
    role: Annotated[str, typer.Option(help="owner, manager, supervisor, agent or cashier.")],
    shop: Annotated[str | None, typer.Option(help="Where; everywhere when it isn't said.")] = None,
) -> None:
    """Add somebody; prints their one-time login link and the link that ties their messenger account."""
    from bot.commands import people

    people.add_staff(name, role, shop)


@staff_app.command("remove")
def staff_remove(name: str) -> None:
    """Take somebody out, by name or number; their sessions end."""
    from bot.commands import people

    people.remove_staff(name)


@key_app.command("create")
def key_create(shop: Annotated[str, typer.Option(help="Name, slug or number.")]) -> None:
    """Make a key of a shop and print it, this once."""
    from bot.commands import people

    people.create_key(shop)


@import_app.command("customers")
def import_customers(file: File, shop: OneShop = None) -> None:
    """Take customers in from a CSV or XLSX file: phone and, as you have them, name, birthday, language, tags, points,
    tier_points, joined_at, debt, last_bought.
    """
    from bot.commands import importing

    importing.run("customers", file, shop)


@import_app.command("orders")
def import_orders(file: File, shop: OneShop = None) -> None:
    """Take orders in from a CSV or XLSX file: external_id, phone, total, placed_at and, as you have them, name, currency,
    status, refunded, items.
    """
    from bot.commands import importing

    importing.run("orders", file, shop)


@export_app.command("customer")
def export_customer(
    customer: Annotated[int, typer.Argument(metavar="ID")],
    archive: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a ZIP with a page to read, the JSON and the files.")
    ] = None,
) -> None:
    """Print all that is kept of a customer as JSON."""
    from bot.commands import customers

    customers.export(customer, archive)


@erase_app.command("customer")
def erase_customer(customer: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Erase a customer's personal data; the books stay sound."""
    from bot.commands import customers

    customers.erase(customer)


@inbox_app.command("list")
def inbox_list() -> None:
    """Print the updates whose handling failed, newest first."""
    from bot.commands import letters

    letters.list_letters()


@inbox_app.command("replay")
def inbox_replay(
    account: Annotated[str | None, typer.Argument()] = None,
    key: Annotated[str | None, typer.Argument()] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them, oldest first.")] = False,
) -> None:
    """Handle a failed update again."""
    from bot.commands import letters

    letters.replay(account, key, every=every)


@draw_app.command("verify")
def draw_verify(what: Annotated[str, typer.Argument(metavar="ID|FILE")]) -> None:
    """Work out again every draw, of one in the database or of an exported file; names the first that differs."""
    from bot.commands import draws

    draws.verify(what)


@draw_app.command("export")
def draw_export(draw: Annotated[int, typer.Argument(metavar="ID")]) -> None:
    """Print a draw's terms and log as JSON, for anybody who wants to check it."""
    from bot.commands import draws

    draws.export(draw)


@voucher_app.command("list")
def vouchers_list() -> None:
    """Print the voucher programmes with their numbers, and their batches."""
    from bot.commands import codes

    codes.list_programs()


@voucher_app.command("generate")
def vouchers_generate(
    program: Annotated[int, typer.Argument(metavar="PROGRAM")],
    count: Annotated[int, typer.Argument(metavar="COUNT")],
    name: Annotated[str, typer.Option(help="What they are for.")] = "",
) -> None:
    """Make many codes of a voucher programme; prints the batch's number. Ctrl-C stops, `resume` goes on."""
    from bot.commands import codes

    codes.generate(program, count, name)


@voucher_app.command("import")
def vouchers_import(
    program: Annotated[int, typer.Argument(metavar="PROGRAM")],
    file: File,
    name: Annotated[str, typer.Option(help="What they are for.")] = "",
) -> None:
    """Take codes in from a CSV or XLSX file with a column `code`; prints the batch's number."""
    from bot.commands import codes

    codes.take(program, file, name)


@voucher_app.command("resume")
def vouchers_resume(batch: Annotated[int, typer.Argument(metavar="BATCH")]) -> None:
    """Let a batch that was stopped or cut off go on."""
    from bot.commands import codes

    codes.resume(batch)


@voucher_app.command("export")
def vouchers_export(batch: Annotated[int, typer.Argument(metavar="BATCH")], file: File) -> None:
    """Write a batch's codes to a CSV file (`-`: stdout)."""
    from bot.commands import codes

    codes.export(batch, file)


def main() -> NoReturn:
    """Run the command that the arguments name and exit with its status."""
    sys.exit(status())


def status(arguments: list[str] | None = None) -> int:
    """Run a command; its exit status. What goes wrong is one line on stderr that says what to do."""
    try:
        return int(app(arguments, standalone_mode=False, prog_name="regulars") or 0)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        message, code = told
        print("regulars:", " ".join(message.split()), file=sys.stderr)  # noqa: T201  # the command line's own voice
        return code


def _told(error: Exception) -> tuple[str, int] | None:
    """What a person is told of an error, and the exit status; None for one that only a programmer can mend."""
    # Typer's own wrong-usage error, under every name that its versions give it.
    if isinstance(error, typer.BadParameter.__mro__[1]):
        command = getattr(getattr(error, "ctx", None), "command_path", "regulars")
        said = error.format_message().rstrip(".")  # type: ignore[attr-defined]
        return f"{said}. See `{command} --help`.", 2
    if isinstance(error, typer.Abort):
        return "stopped", 130
    import sqlite3

    from sqlalchemy.exc import SQLAlchemyError

    from bot.commands.opening import CommandError
    from bot.settings import SettingsError
    from store.errors import InvalidError, RuleError, StoreHeldError, StoreUnreachableError

    if isinstance(error, CommandError):
        return str(error), error.status
    if isinstance(error, SettingsError):
        return str(error), 2
    if isinstance(error, StoreHeldError):
        return str(error), 1
    if isinstance(error, InvalidError):
        return f"the {error.field} can't be {str(error.value)[:60]!r} ({error.problem}): give another one", 2
    if isinstance(error, RuleError):
        return f"refused: {error} ({error.code})", 1
    if isinstance(error, StoreUnreachableError | SQLAlchemyError | sqlite3.Error) or _of_postgres(error):
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        return (
            f"the database can't be used ({first}): see that REGULARS_DATABASE_URL is right and the database is up",
            1,
        )
    if isinstance(error, OSError):
        return f"{error}: see that the file or address is there and free", 1
    return None


def _of_postgres(error: Exception) -> bool:
    return any(base.__module__.startswith("asyncpg") for base in type(error).__mro__)


if __name__ == "__main__":
    main()
