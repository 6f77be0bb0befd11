"""A wheel built from the tree holds everything: in an empty virtual environment it serves the demo."""

import asyncio
import os
import subprocess
import sys
import venv
from pathlib import Path

import aiohttp
import pytest

from tests.running import free_port

ROOT = Path(__file__).parent.parent
START_SECONDS = 120


def run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `regulars` of an environment that has the wheel and what it asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    run(sys.executable, *pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    [wheel] = folder.glob("regulars-*.whl")
    environment = folder / "venv"
    venv.create(environment)
    there = (*pip, "--python", environment / "bin" / "python")
    run(sys.executable, *there, "install", "--no-compile", "-c", ROOT / "requirements.lock", wheel, cwd=folder)
    return environment / "bin" / "regulars"


async def test_a_wheel_serves_the_demo_from_an_empty_environment(program: Path, tmp_path: Path) -> None:
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("REGULARS_", "PYTHON"))}
    process = await asyncio.create_subprocess_exec(
        program, "demo", "--port", str(port), cwd=tmp_path, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(START_SECONDS):
            while f"http://127.0.0.1:{port}/login/".encode() not in said:
                line = await process.stdout.readline()
                assert line, said.decode()
                said += line
        async with aiohttp.ClientSession() as http:
            for path, found in {
                "/chat": "Phố Cafe",
                "/": "Phố Cafe",
                "/static/regulars.css": "--brand",
                "/static/vendor/htmx.js": "htmx",
                "/static/chat/chat.js": "EventSource",
                "/api/docs": "Regulars",
                "/readyz": "ready",
            }.items():
                async with http.get(f"http://127.0.0.1:{port}{path}", headers={"Accept-Language": "vi"}) as answer:
                    text = await answer.text()
                    assert answer.status == 200, path
                    assert found in text or path.endswith(".js"), path
                    if path == "/chat":
                        assert "Nhập tin nhắn" in text, "the catalogue is not in the wheel"
            async with http.get(f"http://127.0.0.1:{port}/static/fonts/Manrope-VariableFont_wght.ttf") as answer:
                assert (await answer.read())[:4] == b"\x00\x01\x00\x00"
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0
