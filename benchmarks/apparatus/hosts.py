"""Hosts on one machine: a name and a network of its own each, on a bridge (ip-netns(8)).

What a host says crosses a network that can be cut, and a host that is switched off says no
good-bye: neither can be had from processes on loopback. Needs root and Debian's iproute2.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from screening.settings import PREFIX


def hosts_can_be_had() -> bool:
    """Say whether this machine lets us make namespaces."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


class Host:
    """A host: its address, what runs on it, and whether its cable is in.

    Parameters
    ----------
    name
        For its logs.
    namespace, link, address
        Its network, this machine's end of its cable, and its address.
    folder
        Its own disk.
    """

    def __init__(self, name: str, namespace: str, link: str, address: str, folder: Path) -> None:
        self.name, self.address, self.folder = name, address, folder
        self.namespace, self._link = namespace, link
        self._limits: list[str] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        folder.mkdir(mode=0o711, parents=True)

    @property
    def within(self) -> list[str]:
        """What to say before a command, to have it run here."""
        named = f'hostname {self.name} && exec "$@"'
        own = ["ip", "netns", "exec", self.namespace, "unshare", "--uts", "sh", "-c", named, "sh"]
        return [*self._limits, *own]

    def limit(self, within: list[str]) -> None:
        """Have what is started from now on within limits: what to say before its command."""
        self._limits = within

    def start(self, *command: str, settings: Mapping[str, str] | None = None) -> None:
        """Start a program of ours, or another with its path; its log is in the host's folder."""
        argv = command if "/" in command[0] else (sys.executable, "-P", "-m", "nightread", *command)
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*self.within, *argv],
                env=self.environment(settings or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        self._processes.append(process)

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return our environment with these settings and no others."""
        ours = {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return kept | ours

    def cut(self) -> None:
        """Pull its cable: whatever is said from now on is lost, and nobody is told."""
        _ip("link", "set", self._link, "down")

    def mend(self) -> None:
        """Put its cable in again."""
        _ip("link", "set", self._link, "up")

    def unplug(self) -> None:
        """Take its cable away: a namespace with open connections would keep it."""
        _ip("link", "delete", self._link)

    def switch_off(self) -> None:
        """End all that runs, without a word to those who are connected."""
        self.cut()
        self._signal(signal.SIGKILL)
        self._processes.clear()

    def pause(self) -> None:
        """Stop all that runs where it is."""
        self._signal(signal.SIGSTOP, wait=False)

    def go_on(self) -> None:
        """Let go on what was stopped."""
        self._signal(signal.SIGCONT, wait=False)

    def ended(self) -> bool:
        """Say whether something that was started has ended by itself."""
        return any(process.poll() is not None for process in self._processes)

    def _signal(self, number: int, *, wait: bool = True) -> None:
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, number)
        for process in self._processes if wait else ():
            process.wait()


class Network:
    """A bridge, and the hosts on it; this machine is at its address ending in 1.

    Parameters
    ----------
    folder
        Below which each host has its disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tag = f"nr{os.getpid()}"
        self._net = f"10.213.{os.getpid() % 250}"
        self._hosts: list[Host] = []

    def __enter__(self) -> Network:
        _ip("link", "add", self._tag, "type", "bridge")
        _ip("address", "add", f"{self._net}.1/24", "dev", self._tag)
        _ip("link", "set", self._tag, "up")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for host in self._hosts:
            host.switch_off()
            host.unplug()
            _ip("netns", "delete", host.namespace)
        _ip("link", "delete", self._tag)

    def host(self, name: str) -> Host:
        """Add a host."""
        number = len(self._hosts) + 10
        namespace, link = f"{self._tag}-{number}", f"{self._tag}.{number}"
        address = f"{self._net}.{number}"
        _ip("netns", "add", namespace)
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("link", "set", link, "master", self._tag, "up")
        for words in (
            ("address", "add", f"{address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", namespace, *words)
        host = Host(name, namespace, link, address, self._folder / name)
        self._hosts.append(host)
        return host


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
