"""The papers keep to the code: settings, commands and dependencies are told, links lead somewhere, no machine is named."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from bot.__main__ import app
from bot.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MACHINE_PATHS = re.compile(r"(?<![\w.:/}-])/(?:work|home|Users|root|mnt|workspace)/[\w.-]+")


def papers() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def rows(text: str) -> dict[str, str]:
    """The rows of a page's tables by what stands in backticks in their first cell."""
    found = re.findall(r"^\| `([^`]+)` \|(.*)\|$", text, re.MULTILINE)
    return {name.replace(r"\|", "|"): rest for name, rest in found}


def commands(command: Any, path: str = "regulars") -> Iterator[tuple[str, Any]]:
    """Every command of the command line that does something, with its words."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
    else:
        for name, one in below.items():
            yield from commands(one, f"{path} {name}")


def anchors(paper: Path) -> set[str]:
    """The names under which a page's headings can be linked to."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", paper.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    told = rows(README)
    for name, field in Settings.model_fields.items():
        setting = f"REGULARS_{name.upper()}"
        assert setting in told, f"{setting} is missing in the README's table of settings"
        if field.default not in ("", None):
            assert f"`{field.default}`" in told[setting], f"{setting}: the README tells another default"
    known = {f"REGULARS_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in told if name.startswith("REGULARS_")} <= known


def test_every_command_and_option_stands_in_the_readme() -> None:
    told = [line for line in README.splitlines() if line.startswith("| `regulars ")]
    every = dict(commands(typer.main.get_command(app)))
    assert len(every) > 10
    for path, command in every.items():
        lines = [line for line in told if re.match(rf"\| `{path}[ `]", line)]
        assert lines, f"`{path}` is missing in the README's table of commands"
        for option in (one for one in command.params if one.param_type_name == "option" and one.name != "help"):
            assert any(option.opts[0] in line for line in lines), f"{path}: the README lacks {option.opts[0]}"
    for line in told:
        assert any(re.match(rf"\| `{path}[ `]", line) for path in every), f"there is no {line}"


def test_every_dependency_has_its_line() -> None:
    told = {re.split(r"\[", name)[0] for name in rows((ROOT / "docs/dependencies.md").read_text(encoding="utf-8"))}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    assert told == {re.split(r"[\[<>=!~; ]", one)[0] for one in needed}


def test_the_bench_table_has_its_place() -> None:
    assert README.count("<!-- bench -->") == 2


@pytest.mark.parametrize("paper", papers(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_the_papers_lead_somewhere(paper: Path) -> None:
    for target in LINK.findall(FENCE.sub("", paper.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (paper.parent / name).resolve() if name else paper
        assert there.exists(), f"{paper.name} links to {target}, which isn't there"
        assert not anchor or anchor in anchors(there), f"{paper.name} links to {target}: there is no such heading"


def test_files_that_the_architecture_names_are_there() -> None:
    floors = [ROOT / name for name in ("bot", "handlers", "support", "loyalty", "store", "tests")]
    inside = {path.name for floor in floors for path in floor.rglob("*")}
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([\w./-]+\.(?:py|po|tsv)|[\w/]+/)`", text):
        known = name.rstrip("/") in inside if "/" not in name.rstrip("/") else (ROOT / name).exists()
        assert known or (ROOT / name).exists(), f"ARCHITECTURE.md names {name}, which isn't there"


def test_no_text_names_a_place_on_somebodys_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout")
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if not name or path == Path(__file__) or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found = MACHINE_PATHS.search(text)
        assert found is None, f"{name} names {found[0]}"
