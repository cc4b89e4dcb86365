"""A report as one HTML page that needs nothing else: no script, no address, pictures inside."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

from models.audit.section import Section, Table

_STYLE = """
:root { color-scheme: dark; }
body { margin: 0; background: #14181b; color: #c6ced2;
       font: 16px/1.6 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1 { font-size: 1.5rem; font-weight: 600; color: #e7ecee; margin: 0 0 1.5rem;
     overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; font-weight: 600; color: #9fb8c4; margin: 3rem 0 .75rem; }
p { margin: 0 0 .75rem; max-width: 46rem; overflow-wrap: anywhere; }
.opening p { color: #e7ecee; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: #8b989e; }
th, td { padding: .35rem 1.5rem .35rem 0; border-bottom: 1px solid #2a3237;
         vertical-align: top; overflow-wrap: anywhere; }
td:first-child { min-width: 8rem; }
.number { text-align: right; white-space: nowrap; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; height: auto; border-radius: 4px; }
figcaption { color: #8b989e; font-size: .875rem; margin-top: .5rem; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, sections: Sequence[Section], pictures: Mapping[str, bytes]) -> str:
    """Return the sections as HTML, dark and calm.

    Parameters
    ----------
    title
        Of the page.
    sections
        In order; their text is escaped.
    pictures
        PNG files by the names that the sections use.
    """
    body = "\n".join(_section(section, pictures) for section in sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{html.escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{html.escape(title)}</h1>
{body}
</main>
</body>
</html>
"""


def _section(section: Section, pictures: Mapping[str, bytes]) -> str:
    heading = f"<h2>{html.escape(section.title)}</h2>" if section.title else ""
    sentences = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in section.sentences)
    table = _table(section.table) if section.table else ""
    figure = _figure(section, pictures[section.picture]) if section.picture else ""
    kind = "" if section.title else ' class="opening"'
    return f"<section{kind}>{heading}{sentences}{table}{figure}</section>"


def _table(table: Table) -> str:
    rows = "".join(_row(row, "td", table) for row in table.rows)
    head = _row(table.header, "th", table)
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _row(cells: Sequence[str], tag: str, table: Table) -> str:
    kinds = [' class="number"' if i >= table.numbers_from else "" for i in range(len(cells))]
    return f"<tr>{''.join(map(_cell, cells, kinds, [tag] * len(cells)))}</tr>"


def _cell(text: str, kind: str, tag: str) -> str:
    return f"<{tag}{kind}>{html.escape(text)}</{tag}>"


def _figure(section: Section, picture: bytes) -> str:
    source = base64.b64encode(picture).decode()
    caption = html.escape(section.caption)
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{source}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
