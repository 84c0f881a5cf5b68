"""The folders are the architecture: the same rooms in every service, and no room without a purpose."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/pyproject.toml"))
TRACKED = [
    ROOT / name
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    if name
]
SOURCES = [path for path in TRACKED if path.suffix == ".py" and path.exists()]
ROOMS = {"domain", "application", "adapters", "entrypoints"}
NO_NAMES = {"utils", "util", "common", "manager", "helper", "helpers", "base", "misc", "shared"}
TOP = {"services", "protos", "charts", "libs", "tests", "docs", ".ci"}


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_every_service_has_the_same_rooms(service: Path) -> None:
    package = service / "src" / service.name.replace("-", "_")
    assert {room.name for room in package.iterdir() if room.is_dir() and room.name != "__pycache__"} == ROOMS
    for file in ("main.py", "settings.py"):
        assert (package / file).is_file(), f"{service.name} has no {file}"
    assert (service / "README.md").is_file(), f"{service.name} has no README.md"
    assert (ROOT / "charts" / service.name / "values.yaml").is_file(), f"{service.name} has no chart"
    assert any((service / "tests" / "unit").glob("test_*.py"))
    assert any((service / "tests" / "component").glob("test_*.py"))


def test_the_top_level_has_no_further_folders() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in TRACKED if len(path.relative_to(ROOT).parts) > 1} <= TOP


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_name_says_the_thing(path: Path) -> None:
    assert path.stem not in NO_NAMES
    assert path.parent.name not in NO_NAMES


IMPURE = (
    r"^\s*(?:async def|await )|datetime\.now|time\.(?:time|monotonic)|^(?:import|from) random|uuid4"
    r"|^(?:import|from) (?:rossio|motor|pymongo|grpc|aiokafka)"
)
DOMAIN = [path for path in SOURCES if "/domain/" in path.as_posix() and "services" in path.parts]


STORED = [path for path in SOURCES if "/adapters/" in path.as_posix() and "src" in path.parts]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_stored_is_read_by_the_fields_that_are_known(path: Path) -> None:
    """While a release is rolled out or back, the store holds fields of a later one: `store.known` passes over them."""
    assert not re.findall(r"(?:(?<![.\w])[A-Z]\w*|\])\(\s*\*\*", path.read_text())


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_domain_neither_waits_nor_asks_for_time_chance_or_ids(path: Path) -> None:
    text = path.read_text()
    found = re.findall(IMPURE, text, re.MULTILINE)
    assert not found


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if "services" in path.parts or "libs" in path.parts],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_a_file_can_be_held_in_the_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 450


TESTED = "\n".join(path.read_text() for path in SOURCES if "tests" in path.parts)
POINTS = {
    name
    for path in SOURCES
    if "src" in path.parts
    for name in re.findall(r'points\.reached\(f?"([^"]+)"\)', path.read_text())
}


@pytest.mark.parametrize("name", sorted(POINTS))
def test_every_point_at_which_a_process_may_die_is_one_at_which_a_test_kills_it(name: str) -> None:
    above, _, word = name.rpartition(".")
    whole = f'"{name}"' in TESTED or f'"{name}:' in TESTED
    assert whole or (f'f"{above}.{{' in TESTED and f'"{word}"' in TESTED)


def test_no_file_names_an_index_or_a_machine() -> None:
    hosts = re.compile(
        r"pypi\.org|pythonhosted|proxy\.golang|registry\.npmjs|repo1?\.maven|deb\.debian|/root/|/home/[a-z]"
    )
    for path in TRACKED:
        if path.is_file() and path != Path(__file__) and path.stat().st_size < 1_000_000:
            assert not hosts.search(path.read_text(errors="replace")), path
