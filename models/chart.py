"""What the charts of all reports share: colours, plain axes, and a PNG at the end."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, RED, GREY, GREEN, YELLOW = "#4477aa", "#cc6677", "#999999", "#228833", "#ccbb44"
"""Of Paul Tol's bright and muted schemes, told apart by the colour-blind."""


def plain_axes(axes: Axes) -> Axes:
    """Take away the frame above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    return drawn.getvalue()
