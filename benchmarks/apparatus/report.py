"""What a benchmark says in the end: rows, ratios, and where it was measured."""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from benchmarks.apparatus.machine import machine, versions
from screening.errors import NightreadError

NOT_INSTALLED = "not installed"

Values = Sequence[float]


class BenchmarkError(NightreadError):
    """What was measured did not do its job, so that its figure would mean nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was measured, over its repeats.

    Attributes
    ----------
    labels
        What it was; the same keys in every row of a report.
    unit
        Of the values.
    values
        One for each repeat; none where what was to be measured is not installed.
    """

    labels: Mapping[str, str]
    unit: str
    values: Values = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a benchmark.

    Attributes
    ----------
    name
        Of the benchmark.
    reading
        How a ratio is to be read, in a sentence.
    rows
        What was measured.
    ratios
        By name, one value for each repeat. There is none where one side is not installed.
    conditions
        What a reader must know to repeat it.
    """

    name: str
    reading: str
    rows: Sequence[Row]
    ratios: Mapping[str, Values]
    conditions: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return the report for a machine: ``ratios`` is flat and holds medians."""
        return {
            "benchmark": self.name,
            "reading": self.reading,
            "conditions": dict(self.conditions),
            "ratios": {name: _rounded(statistics.median(v)) for name, v in self.ratios.items()},
            "ratio_spread": {name: _spread(values) for name, values in self.ratios.items()},
            "rows": [_row(row) for row in self.rows],
            "versions": versions(),
            "machine": machine(),
        }


def command_line(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, under a minute")
    parser.add_argument("--json", action="store_true", help="print for a machine")
    return parser


def launch(
    parser: argparse.ArgumentParser, measure: Callable[[argparse.Namespace], Report]
) -> None:
    """Run a benchmark from its command line to its report.

    What is to be told along the way goes to stderr. SIGTERM ends it as Ctrl-C does: what it started
    is stopped and its folders are removed.
    """
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        report = measure(options)
    except NightreadError as error:
        sys.exit(f"error: {error}")
    if options.json:
        print(json.dumps(report.as_dict(), indent=1))
    else:
        _show(report)


def remark(sentence: str) -> None:
    """Tell the person who waits."""
    print(sentence, file=sys.stderr, flush=True)


def paired(theirs: Values, ours: Values) -> list[float]:
    """Return theirs over ours, repeat by repeat: both sides of each met the same machine."""
    return [other / own for other, own in zip(theirs, ours, strict=True)]


def _spread(values: Values) -> dict[str, float]:
    return {
        "min": _rounded(min(values)),
        "median": _rounded(statistics.median(values)),
        "max": _rounded(max(values)),
    }


def _row(row: Row) -> dict[str, object]:
    if not row.values:
        return {**row.labels, "unit": row.unit, "status": NOT_INSTALLED}
    spread = _spread(row.values)
    return {
        **row.labels,
        "unit": row.unit,
        "status": "measured",
        **spread,
        "repeats": len(row.values),
    }


def _rounded(value: float) -> float:
    """Return a figure with four digits, which is more than a benchmark knows."""
    return float(f"{value:.4g}")


def _show(report: Report) -> None:
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    table = Table(title=report.name, title_justify="left", box=None, pad_edge=False)
    for label in report.rows[0].labels:
        table.add_column(label)
    for figure in ("median", "min", "max"):
        table.add_column(figure, justify="right")
    table.add_column("unit")
    for row in report.rows:
        spread = _spread(row.values) if row.values else {}
        figures = [f"{spread[key]:g}" if spread else "" for key in ("median", "min", "max")]
        unit = row.unit if row.values else NOT_INSTALLED
        table.add_row(*row.labels.values(), *figures, unit)
    console.print(table)
    console.print(f"\n{report.reading}")
    for name, values in report.ratios.items():
        low, middle, high = (_spread(values)[key] for key in ("min", "median", "max"))
        console.print(f"  {name:34} {middle:8g}   ({low:g} to {high:g})")
    console.print()
    found = [*report.conditions.items(), *versions().items(), *machine().items()]
    console.print("; ".join(f"{key} {value}" for key, value in found))
