"""The report of an audit: a folder that is there whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from models.audit.account import account
from models.audit.figures import figures
from models.audit.findings import Findings
from models.audit.lists import lists
from models.audit.markdown import markdown
from models.audit.page import page
from models.audit.samples import contact_sheets
from models.audit.section import plain
from models.audit.source import Source
from models.json_bytes import json_bytes
from models.output_folder import require_new, write_folder
from screening.errors import TrainingError


def require_free(folder: Path, source: Source) -> None:
    """Refuse a report that would overwrite something, or lie inside the set.

    Raises
    ------
    TrainingError
        If the folder exists, lies inside a folder of the set, or cannot be made.
    """
    require_new(folder)
    for path in source.paths:
        if path.is_dir() and folder.resolve().is_relative_to(path.resolve()):
            raise TrainingError(
                f"{folder} lies inside the set {path}, which an audit leaves as it is: give a "
                "folder outside it with --out"
            )


def write_report(findings: Findings, folder: Path) -> None:
    """Write the report: Markdown, HTML, JSON, contact sheets and tables.

    Parameters
    ----------
    findings
        Of the audit.
    folder
        That does not exist yet; its parents are made.

    Raises
    ------
    TrainingError
        See `require_free`; or if it cannot be written.
    """
    require_free(folder, findings.source)
    write_folder(folder, _files(findings, folder))


def _files(findings: Findings, folder: Path) -> dict[str, bytes]:
    pictures = contact_sheets(findings)
    sections = account(findings, pictures)
    title = f"Audit of {', '.join(plain(str(path)) for path in findings.source.paths)}"
    return {
        "report.md": markdown(title, sections).encode(),
        "report.html": page(title, sections, pictures).encode(),
        "report.json": json_bytes(figures(findings)),
        **pictures,
        **lists(findings, folder),
    }
