"""What a compiled network gains, and the seconds that it takes to start.

The scoring of full parts on one core, by the network as torch runs it and by the same network with
its blocks compiled (NIGHTREAD_COMPILE), which take turns; for the shipped bundle and for a
DenseNet121 of random weights. The warm-up is what a worker waits for at its start, with nothing
kept from an earlier one.

compiled_vs_eager above 1: compiled is faster.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from benchmarks.apparatus.one_core import one_core
from benchmarks.apparatus.random_bundle import densenet_bundle
from benchmarks.apparatus.report import (
    BenchmarkError,
    Report,
    Row,
    command_line,
    launch,
    paired,
    remark,
)
from models.classifier import load_classifier
from models.screener import Screener
from phantoms.radiograph import make_phantom

_PART = 4


def measure(options: argparse.Namespace) -> Report:
    """Measure both, in turns."""
    repeats = 5 if options.quick else 15
    rows: list[Row] = []
    ratios: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="nightread-benchmark-") as name, one_core():
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = f"{name}/compiled"
        for model in ("mobilenet_v2", str(densenet_bundle(Path(name)))):
            label = Path(model).name
            remark(label)
            times = _times(model, repeats)
            rows += [Row({"model": label, "way": way}, *figure) for way, figure in times.items()]
            ratios[f"{label}_compiled_vs_eager"] = paired(times["eager"][1], times["compiled"][1])
    return Report(
        name="compiled",
        reading="above 1 compiled is faster:",
        rows=rows,
        ratios=ratios,
        conditions={"one core": "yes", "images in a part": str(_PART)},
    )


def _times(model: str, repeats: int) -> dict[str, tuple[str, list[float]]]:
    eager = Screener(load_classifier(model))
    began = time.perf_counter()
    compiled = Screener(load_classifier(model), compiled=True)
    warm_up = time.perf_counter() - began
    if not compiled.compiled:
        raise BenchmarkError("it could not be compiled: is a C++ compiler installed?")
    phantoms = [make_phantom(seed, "HAND", "PA") for seed in range(_PART)]
    images = [eager.classifier.prepare(pixels) for pixels in phantoms]
    times: dict[str, list[float]] = {"eager": [], "compiled": []}
    for repeat in range(repeats + 1):
        for way, screener in (("eager", eager), ("compiled", compiled)):
            began = time.perf_counter()
            screener.score(images)
            if repeat:  # the first warms up
                times[way].append(1e3 * (time.perf_counter() - began) / _PART)
    found = {way: ("ms", values) for way, values in times.items()}
    return {"warm-up": ("s", [warm_up])} | found


def main() -> None:
    """Run the benchmark."""
    launch(command_line("compiled", __doc__), measure)


if __name__ == "__main__":
    main()
