"""Our own SCU as a process that loads, says so, and sends once its stdin is closed.

``python own_sender.py PORT FILE...``; the exit code is 1 if anything was not accepted.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pacs.peer import Peer
from pacs.send import send
from pacs.survey import Part10File, survey


def main() -> None:
    """Send files to NIGHTREAD on a port of loopback."""
    paths = [Path(argument) for argument in sys.argv[2:]]
    files = [found for found in survey(paths) if isinstance(found, Part10File)]
    print("ready", flush=True)
    sys.stdin.read()
    peer = Peer("127.0.0.1", int(sys.argv[1]), "NIGHTREAD", "BENCHMARK")
    refused = [item.explanation for item in send(files, peer) if not item.accepted]
    sys.exit(refused[0] if refused else None)


if __name__ == "__main__":
    main()
