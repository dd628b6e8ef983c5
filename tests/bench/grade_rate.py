"""``grade`` of a table, beside pandas doing the same for a few analytes with its own expressions, file to file."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from services.cli.grade import grade_file

#: Results a second on one core, at least.
LIMIT = 200_000
TIMES_ULN = {"ALT": (1, 3, 5, 20), "AST": (1, 3, 5, 20), "ALP": (1, 2.5, 5, 20), "BILI": (1, 1.5, 3, 10)}
BELOW = {"NEUT": (1.5, 1.0, 0.5), "PLAT": (75, 50, 25)}
UNITS = {"NEUT": "10*9/L", "PLAT": "10*9/L", "BILI": "umol/L"}


def run(rows: int) -> bool:
    """Print both rates; False below the limit, or where the two disagree."""
    with tempfile.TemporaryDirectory() as directory:
        table, ours, theirs = (Path(directory) / name for name in ("lb.csv", "ours.csv", "theirs.csv"))
        _write(table, rows)
        start = time.process_time()
        grade_file(str(table), str(ours), "4.03", reasons=False)
        took = time.process_time() - start
        start = time.process_time()
        _pandas(table, theirs)
        pandas_took = time.process_time() - start
        same = bool((_worst(pd.read_csv(ours)) == pd.read_csv(theirs)["grade"]).all())
    print(f"\ngrade: {rows} results, CSV to CSV, one core")
    print(f"  toxwatch grade     {rows / took:9.0f}/s")
    print(
        f"  pandas expressions {rows / pandas_took:9.0f}/s  (six analytes, no bounds, no units), {took / pandas_took:.2f} x"
    )
    print(f"  the same grades: {same}; limit {LIMIT}/s")
    return same and rows / took >= LIMIT


def _write(table: Path, rows: int) -> None:
    draw = random.Random(1)
    tests = [*TIMES_ULN, *BELOW]
    with table.open("w", encoding="utf-8") as file:
        file.write("subject,test,value,unit,lln,uln\n")
        for number in range(rows):
            test = draw.choice(tests)
            lln, uln = (2, 8) if test == "NEUT" else (150, 400) if test == "PLAT" else (7, draw.choice([35, 40, 43]))
            value = round(draw.lognormvariate(0, 1) * (lln if test in BELOW else uln), 1)
            file.write(f"S{number % 1000},{test},{value},{UNITS.get(test, 'U/L')},{lln},{uln}\n")


def _pandas(table: Path, out: Path) -> None:
    frame = pd.read_csv(table)
    grade = np.zeros(len(frame), dtype=int)
    for test, multiples in TIMES_ULN.items():
        of_test = frame["test"] == test
        for level, multiple in enumerate(multiples, start=1):
            grade[of_test & (frame["value"] > multiple * frame["uln"])] = level
    for test, cut_offs in BELOW.items():
        of_test = frame["test"] == test
        grade[of_test & (frame["value"] < frame["lln"])] = 1
        for level, cut_off in enumerate(cut_offs, start=2):
            grade[of_test & (frame["value"] < cut_off)] = level
    frame.assign(grade=grade).to_csv(out, index=False)


def _worst(frame: pd.DataFrame) -> pd.Series[int]:
    used = frame["test"].isin(list(BELOW))
    return frame["grade_low"].where(used, frame["grade_high"]).astype(int)
