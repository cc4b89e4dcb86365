"""``nightread user``: accounts of those who open the worklist."""

from __future__ import annotations

import datetime as dt
import getpass
import sys
from typing import Annotated

import typer

from screening.domain.account import Role

user = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make and change accounts for the worklist.",
)

_LINK_VALID = dt.timedelta(minutes=15)

Name = Annotated[str, typer.Argument(help="Of the account.")]


@user.command()
def add(
    name: Name,
    role: Annotated[
        Role, typer.Option(help="viewer looks; radiologist reviews too; admin administers.")
    ] = Role.RADIOLOGIST,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="Signs in by a link alone: nightread user link.")
    ] = False,
) -> None:
    """Make an account; the password is asked for, or read from a pipe."""
    from nightread.administration import administering, now
    from nightread.terminal import remark
    from screening.records import audit
    from screening.records.users import add_user
    from worklist.password import make_hash

    kept = None if no_password else make_hash(_password())
    with administering() as (session, actor):
        add_user(session, name, role, kept, now())
        detail = f"{name} added as {role.value}"
        audit.note(session, actor, audit.Event.USER_CHANGED, now(), detail=detail)
    remark(f"{name} may sign in as {role.value}")


@user.command("list")
def list_all(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the accounts."""
    from nightread.database import opened
    from nightread.terminal import write, write_json
    from screening.records.users import list_users
    from screening.settings_source import load_settings
    from worklist.objects import account_object

    with opened(load_settings()) as records, records.read() as session:
        found = list_users(session)
    if as_json:
        write_json([account_object(each) for each in found])
    elif not found:
        write("Nobody has an account: nightread user add NAME\n")
    for each in [] if as_json else found:
        state = "disabled" if each.disabled_at else each.role.value
        write(f"{each.name}: {state}{'' if each.has_password else ', by link alone'}\n")


@user.command()
def change(
    name: Name,
    role: Annotated[Role | None, typer.Option(help="What they may do from now on.")] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    disable: Annotated[bool, typer.Option("--disable", help="Let them sign in no more.")] = False,
    enable: Annotated[bool, typer.Option("--enable", help="Let them sign in again.")] = False,
) -> None:
    """Change an account; its sessions end at once."""
    from nightread.administration import administering, now
    from nightread.terminal import remark
    from screening.records import audit
    from screening.records.users import change_user
    from worklist.password import make_hash

    if disable and enable:
        raise typer.BadParameter("give --disable or --enable, not both")
    if not (role or password or disable or enable):
        raise typer.BadParameter("say what to change: --role, --password, --disable, --enable")
    kept = make_hash(_password()) if password else None
    disabled = True if disable else False if enable else None
    done = [
        *([f"role {role.value}"] if role else []),
        *(["new password"] if kept else []),
        *(["disabled"] if disable else ["enabled"] if enable else []),
    ]
    with administering() as (session, actor):
        change_user(session, name, now(), role=role, password_hash=kept, disabled=disabled)
        detail = f"{name}: {', '.join(done)}"
        audit.note(session, actor, audit.Event.USER_CHANGED, now(), detail=detail)
    remark(f"{name}: {', '.join(done)}; they sign in anew")


@user.command()
def link(name: Name) -> None:
    """Print a link that signs an account in, once, within a quarter of an hour."""
    from nightread.administration import administering, now
    from nightread.terminal import write
    from nightread.worklist_address import worklist_address
    from screening.errors import AccountError
    from screening.records import audit
    from screening.records.sign_in import make_link
    from screening.records.users import find_user
    from screening.settings_source import load_settings

    with administering() as (session, actor):
        found = find_user(session, name)
        if found is None:
            raise AccountError(f"there is no user {name} who may sign in: nightread user list")
        secret = make_link(session, found[0], now(), _LINK_VALID)
        detail = f"a link for {name}"
        audit.note(session, actor, audit.Event.USER_CHANGED, now(), detail=detail)
    write(f"{worklist_address(load_settings())}sign-in/{secret}\n")


def _password() -> str:
    """Ask for a password twice, or take the first line of a pipe."""
    from screening.errors import AccountError

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise AccountError("the two were not the same: nothing was changed")
    return first
