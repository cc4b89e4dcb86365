"""The console's commands, and how an error leaves it: one clear line and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import warnings

import typer

from nightread.adt import adt
from nightread.archive import archive
from nightread.associations import associations
from nightread.audit import audit
from nightread.backup import backup
from nightread.batch import batch
from nightread.broker import broker
from nightread.bundle import bundle
from nightread.cases import cases
from nightread.compare import compare
from nightread.dataset import dataset
from nightread.deliver import deliver
from nightread.deliveries import deliveries, resend
from nightread.demo import demo
from nightread.doctor import doctor
from nightread.drift import drift
from nightread.evaluate import evaluate
from nightread.explain import explain
from nightread.export import export
from nightread.hold import hold
from nightread.ledger import ledger
from nightread.listen import listen
from nightread.migrate import migrate
from nightread.model import model
from nightread.night import night
from nightread.patient import patient
from nightread.points import points
from nightread.report import report
from nightread.restore import restore
from nightread.retention import retention
from nightread.retry import retry
from nightread.send import send
from nightread.serve import serve
from nightread.settings import settings
from nightread.shortcuts import shortcuts
from nightread.study import study
from nightread.support import support
from nightread.token import token
from nightread.train import train
from nightread.up import up
from nightread.user import user
from nightread.verify import verify
from nightread.version import version
from nightread.work import work
from nightread.wrap import wrap
from screening.errors import NightreadError, SettingsError
from worklist.plain_text import plain

_COMMANDS = (
    demo,
    up,
    cases,
    study,
    ledger,
    report,
    drift,
    associations,
    retry,
    deliveries,
    resend,
    send,
    wrap,
    doctor,
    settings,
    listen,
    work,
    serve,
    deliver,
    night,
    adt,
    migrate,
    backup,
    restore,
    verify,
    support,
    retention,
    hold,
    export,
    dataset,
    train,
    evaluate,
    compare,
    shortcuts,
    explain,
    version,
)
_HIDDEN = (broker,)
_GROUPS = (
    ("archive", archive),
    ("batch", batch),
    ("user", user),
    ("token", token),
    ("points", points),
    ("model", model),
    ("patient", patient),
    ("audit", audit),
    ("bundle", bundle),
)
# What a place on a disk may answer, whatever the program does right.
_PLACES = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EFBIG,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}


def make_console() -> typer.Typer:
    """Put the commands together, in the order in which a newcomer needs them."""
    # Without typer's own rendering the help takes a third of the time and reads the same in a log.
    console = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help="Screen radiographs for fractures. Not for diagnosis.",
        epilog="Settings come from NIGHTREAD_... variables or nightread.env; "
        "start with: nightread demo",
    )
    for command in _COMMANDS:
        console.command()(command)
    for command in _HIDDEN:
        console.command(hidden=True)(command)
    for name, group in _GROUPS:
        console.add_typer(group, name=name)
    return console


def main() -> None:
    """Run the console.

    The exit code is 0, or 1 where something failed, or 2 where a setting or an option is wrong.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # What we write holds patients: it is its owner's alone, whatever the folder's mode.
    os.umask(0o077)
    if not sys.warnoptions:
        # pydicom's warnings quote values of a header, a patient's name among them.
        warnings.simplefilter("ignore")
    try:
        make_console()(prog_name="nightread")
    except NightreadError as error:
        # An error names files and values from outside, which must not act on the terminal.
        sys.stderr.write(f"error: {plain(str(error))}\n")
        sys.exit(2 if isinstance(error, SettingsError) else 1)
    except OSError as error:
        if error.errno not in _PLACES:
            raise
        where = plain(str(error.filename or "a file"))
        sys.stderr.write(
            f"error: {where} cannot be written or read ({error.strerror}): free space there, or "
            "choose another place\n"
        )
        sys.exit(1)
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"error: the library {error.name} is not installed: nightread doctor says what is "
            "missing and how to get it\n"
        )
        sys.exit(1)
