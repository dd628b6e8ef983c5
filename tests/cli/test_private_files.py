"""Keys, exports and what an import writes are closed to everybody else on the machine; cells of reports are no formulas."""

from __future__ import annotations

import csv
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from projections.store.engine.database import Database
from projections.store.engine.schema import migrate
from services.cli.grade import grade_file
from services.importers.report import report_file
from services.platform.csv_cells import CsvWriter, escaped
from services.platform.private_files import open_private
from services.platform.settings import Settings
from tests.architecture.sources import PACKAGES, ROOT


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """The directory of one that has nothing yet."""
    database = Database(f"sqlite:///{tmp_path / 'toxwatch.db'}")
    migrate(database)
    database.close()
    return tmp_path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    "command", [["keys", "add", "--role", "operator"], ["export"]], ids=["keys add > FILE", "export > FILE"]
)
def test_what_the_shell_writes_of_it_is_closed_to_others(deployment: Path, command: list[str]) -> None:
    """Whatever the umask, and though the file was there before, open to all."""
    out = deployment / "out"
    out.touch(0o666)
    out.chmod(0o666)
    with out.open("wb") as into:
        argv = [sys.executable, "-m", "services.cli.main", *command, "--data", str(deployment)]
        subprocess.run(argv, stdout=into, stderr=subprocess.PIPE, check=True, cwd=ROOT)
    assert _mode(out) == 0o600


def test_files_that_were_open_to_all_are_closed(tmp_path: Path) -> None:
    """What is no file, such as the null device, is left as it is."""
    old = tmp_path / "events.ndjson"
    old.touch()
    old.chmod(0o644)
    with open_private(old) as file:
        file.write(b"x")
    assert _mode(old) == 0o600
    before = _mode(Path(os.devnull))
    open_private(Path(os.devnull)).close()
    assert _mode(Path(os.devnull)) == before


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=", "++", "-1e", "+cmd|'!A0"]
)
def test_a_cell_that_may_be_a_formula_is_text(cell: str) -> None:
    """An apostrophe before it: spreadsheets show the rest as it is."""
    assert escaped(cell) == "'" + cell


@pytest.mark.parametrize(
    "cell", ["", "ALT", "5", "-5", "+5.25", "-1e-9", "-.5", "-", "+", "5-6", "a=b", "'=1", 5, None]
)
def test_any_other_cell_stays_as_it_is(cell: object) -> None:
    """Numbers and lone signs among them: a negative result is a result."""
    assert escaped(cell) == cell


def test_the_reports_have_no_formulas(tmp_path: Path) -> None:
    """The report of an import, and a table that was graded, its header included."""
    report, graded = tmp_path / "report.csv", tmp_path / "graded.csv"
    with report_file(report) as lines:
        lines.left_over("=file.csv", 3, "+field", "@value", "-message", urgent=True)
    (tmp_path / "in.csv").write_text("test,value,unit,=note\nALT,-5,U/L,@evil\n")
    grade_file(str(tmp_path / "in.csv"), str(graded), "4.03", reasons=True)
    for path in (report, graded):
        cells = [cell for row in csv.reader(io.StringIO(path.read_text())) for cell in row]
        assert [cell for cell in cells if escaped(cell) != cell] == []
        assert _mode(path) == 0o600
    assert "'@evil" in graded.read_text()
    assert ",-5," in graded.read_text()


def test_nothing_else_writes_csv() -> None:
    """A writer of its own would escape nothing."""
    assert CsvWriter.__module__ == "services.platform.csv_cells"
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    others = [path.name for path in sources if "csv.writer(" in path.read_text() or "DictWriter(" in path.read_text()]
    assert others == ["csv_cells.py"]


@pytest.mark.parametrize(
    ("listen", "public_url", "is_read"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080", False),
        ("[::1]:8080", "http://127.0.0.1:8080", False),
        ("localhost:8080", "http://127.0.0.1:8080", False),
        ("0.0.0.0:8080", "http://10.0.0.5:8080", True),
        ("[::]:8080", "http://127.0.0.1:8080", True),
        ("10.0.0.5:8080", "http://10.0.0.5:8080", True),
        ("0.0.0.0:8080", "https://toxwatch.example.org", False),
    ],
)
def test_plain_http_beyond_this_machine_is_known(listen: str, public_url: str, is_read: bool) -> None:
    """It is said at the start, unless people come by https, which somebody then ends before us."""
    assert Settings(listen=listen, public_url=public_url).is_read_on_the_way is is_read
