"""Files over the web: those the pages are made of, and what people sent."""

from pathlib import Path
from urllib.parse import quote

import font_manrope
import js_lib_htmx
from aiohttp import web

from store.media import Content

HERE = Path(__file__).parent


def add_files(app: web.Application) -> None:
    """The pages' own files, the fonts and htmx."""
    app.router.add_get("/static/fonts/{name}", _font)
    app.router.add_get("/static/vendor/htmx.js", _htmx)
    app.router.add_get("/static/{path:.+}", _static)


async def _font(request: web.Request) -> web.FileResponse:
    folder = Path(font_manrope.__file__).parent / "files"
    return _file(folder, request.match_info["name"], cached=True)


async def _htmx(_request: web.Request) -> web.FileResponse:
    return _file(Path(js_lib_htmx.__file__).parent / "static" / "htmx", "htmx.min.js", cached=True)


async def _static(request: web.Request) -> web.FileResponse:
    """A page's own files lie beside its template: /static/chat/chat.js is handlers/web/chat/chat.js."""
    path = request.match_info["path"]
    if "\0" in path or not path.endswith((".css", ".js", ".svg", ".png", ".webmanifest")):
        raise web.HTTPNotFound
    for folder in (HERE / "static", HERE):
        if (folder / path).is_file():
            return _file(folder, path, cached=False)
    raise web.HTTPNotFound


def _file(folder: Path, name: str, *, cached: bool) -> web.FileResponse:
    if "\0" in name:
        raise web.HTTPNotFound
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers={"Cache-Control": "public, max-age=604800" if cached else "no-cache"})


def media_response(content: Content, name: str) -> web.Response:
    """Bytes that somebody sent: shown in place only where a browser can do no harm with them, else saved."""
    shown = content.mime in {"image/jpeg", "image/png", "image/gif", "image/webp"} or content.mime.startswith(
        ("audio/", "video/")
    )
    headers = {"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, max-age=31536000"}
    if not shown:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name or 'file', safe='')}"
    mime = content.mime if shown else "application/octet-stream"
    return web.Response(body=content.content, content_type=mime, headers=headers)
