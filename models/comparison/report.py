"""A comparison as files: one page in Markdown and HTML, the figures in JSON, charts."""

from __future__ import annotations

from pathlib import Path

from models.audit.markdown import markdown
from models.audit.page import page
from models.comparison.account import account
from models.comparison.comparison import Comparison
from models.comparison.pictures import pictures
from models.json_bytes import json_bytes
from models.output_folder import update_folder

TITLE = "The classifiers beside one another"


def write_report(comparison: Comparison, folder: Path) -> None:
    """Write ``comparison.md``, ``comparison.html``, ``comparison.json`` and the charts.

    Parameters
    ----------
    comparison
        What was measured.
    folder
        Made where it does not exist; a former page in it is replaced.

    Raises
    ------
    TrainingError
        If it cannot be written.
    """
    drawn = pictures(comparison)
    sections = account(comparison, drawn)
    files = {
        "comparison.md": markdown(TITLE, sections).encode(),
        "comparison.html": page(TITLE, sections, drawn).encode(),
        "comparison.json": json_bytes(comparison.as_dict()),
        **drawn,
    }
    update_folder(folder, files)
