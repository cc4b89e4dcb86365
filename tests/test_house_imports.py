from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from console import ROOT, environment

PACKAGES = (
    "dicom_listener",
    "migrations",
    "models",
    "night",
    "nightread",
    "pacs",
    "phantoms",
    "screening",
    "worker",
    "worklist",
)

# Imports a package and every module below it, and says what came along.
WALK = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        # These two are programs, which run when they are imported.
        if module.name not in ("nightread.__main__", "migrations.env"):
            importlib.import_module(module.name)
"""


def run(code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_point_the_way_the_house_is_built(tmp_path: Path) -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert program is not None
    ran = subprocess.run(
        [program, "--config", ROOT / "pyproject.toml", "--cache-dir", tmp_path],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("package", ["dicom_listener", "worklist", "pacs", "screening"])
def test_no_process_but_the_worker_loads_torch(tmp_path: Path, package: str) -> None:
    heavy = "print(sorted({'torch', 'monai', 'models'} & set(sys.modules)))"
    ran = run(WALK + heavy, package, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "[]\n"


def test_nothing_happens_at_import(tmp_path: Path) -> None:
    watch = """
import sys
import celery, monai, pynetdicom, redis, sklearn.metrics, sqlalchemy, torch  # not ours to judge
from typing import Any
happened = []
def hook(event: str, arguments: tuple[Any, ...]) -> None:
    doing = event in {"socket.connect", "socket.bind", "sqlite3.connect", "subprocess.Popen",
                      "os.mkdir", "os.rename", "os.remove", "os.fork", "os.putenv"}
    writing = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    # Byte code that Python writes for itself.
    if (doing or writing) and "__pycache__" not in str(arguments):
        happened.append((event, *map(str, arguments)))
sys.addaudithook(hook)
"""
    ran = run(watch + WALK + "\nprint(happened)", *PACKAGES, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "[]\n"
    assert list(tmp_path.iterdir()) == []


def test_every_package_is_listed_wherever_packages_are_listed() -> None:
    import tomllib

    from nightread.check_packages import OUR_PACKAGES

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tools = project["tool"]
    found = {
        path.parent.name
        for path in ROOT.glob("*/__init__.py")
        if path.parent.name not in ("tests", "benchmarks")
    }
    assert found == set(PACKAGES)
    assert found == set(OUR_PACKAGES)
    assert found == set(tools["mypy"]["packages"])
    assert found == set(tools["importlinter"]["root_packages"])
    assert found == {
        name.rstrip("*") for name in tools["setuptools"]["packages"]["find"]["include"]
    }


def test_every_package_says_that_it_is_typed() -> None:
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").is_file()
