"""``python -m phantoms FOLDER``: write the demonstration set."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from phantoms.samples import write_samples


def main() -> None:
    """Write the set and say what is in it, one line per study, to stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m phantoms",
        description="Write radiograph phantoms as DICOM files. They show no patient, and what a "
        "classifier says of them is no measure of its accuracy.",
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--studies", type=int, help="how many (default: one of each kind)")
    parser.add_argument("--seed", type=int, default=7, help="other numbers give other pictures")
    parser.add_argument("--rows", type=int, default=1600, help="height of an image in pixels")
    arguments = parser.parse_args()
    for study in write_samples(
        arguments.folder, seed=arguments.seed, studies=arguments.studies, rows=arguments.rows
    ):
        sys.stderr.write(
            f"{study.paths[0].parent}: {len(study.paths)} files, {study.description}\n"
        )


if __name__ == "__main__":
    main()
