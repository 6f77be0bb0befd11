"""Run the server by itself: `python -m tests.botapi --port 9090`, and drive it by `POST /sim/…`."""

import argparse
import asyncio
import contextlib

from .server import BotApiServer


async def serve(token: str, host: str, port: int, patience: float) -> None:
    """Serve until interrupted."""
    server = await BotApiServer.start(token, port, host, patience)
    print(f"{server.url} {token}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.botapi", description=__doc__)
    parser.add_argument("--token", default="42:TEST", help="the one bot's token (default 42:TEST)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9090, help="0 takes a free one; the first line printed says which")
    parser.add_argument("--patience", type=float, default=1.0, help="scales the waits between webhook attempts")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.token, options.host, options.port, options.patience))


if __name__ == "__main__":
    main()
