"""An answer is left to whoever waits for it."""

from __future__ import annotations

from typing import Any

from pynetdicom.association import Association


def leave_answers(assoc: Association) -> None:
    """Keep an association's own thread from taking answers that somebody waits for.

    pynetdicom 3.0.4 pauses that thread while a request is made, and takes it for paused a moment
    before it is: an answer that comes at once is then dropped, and waited for until the time-out.
    What a peer asks of us on the association it takes as before.
    """
    take = assoc.dimse.get_msg

    def get_msg(block: bool = False) -> Any:  # noqa: ANN401 - pynetdicom's own type is private
        if not block:
            _, message = assoc.dimse.peek_msg()
            if message is None or message.is_valid_response:
                return None, None
        return take(block)

    assoc.dimse.get_msg = get_msg  # type: ignore[method-assign]
