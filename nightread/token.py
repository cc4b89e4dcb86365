"""``nightread token``: keys of machines to the REST interface."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from screening.domain.account import Role

token = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make and revoke tokens for the REST interface.",
)


@token.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for; the audit names it.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.VIEWER,
    days: Annotated[int, typer.Option(min=0, help="How long it is valid; 0 for ever.")] = 365,
) -> None:
    """Make a token and print it, this once."""
    from nightread.administration import administering, now
    from nightread.terminal import remark, write
    from screening.records import audit
    from screening.records.tokens import add_token

    valid = dt.timedelta(days=days) if days else None
    with administering() as (session, actor):
        secret = add_token(session, name, role, now(), valid)
        detail = f"{name} made for {role.value}"
        audit.note(session, actor, audit.Event.TOKEN_CHANGED, now(), detail=detail)
    remark("keep it now, it is shown no more; send it as: Authorization: Bearer TOKEN")
    write(secret + "\n")


@token.command("list")
def list_all(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the tokens, without their secrets."""
    from nightread.database import opened
    from nightread.terminal import write, write_json
    from screening.records.tokens import list_tokens
    from screening.settings_source import load_settings
    from worklist.objects import token_object

    with opened(load_settings()) as records, records.read() as session:
        found = list_tokens(session)
    if as_json:
        write_json([token_object(each) for each in found])
        return
    for each in found:
        until = f"until {each.expires_at:%Y-%m-%d}" if each.expires_at else "for ever"
        write(f"{each.name}: {'revoked' if each.revoked_at else f'{each.role.value}, {until}'}\n")


@token.command()
def revoke(name: Annotated[str, typer.Argument(help="Of the token.")]) -> None:
    """Make a token worthless at once."""
    from nightread.administration import administering, now
    from nightread.terminal import remark
    from screening.records import audit
    from screening.records.tokens import revoke_token

    with administering() as (session, actor):
        revoke_token(session, name, now())
        detail = f"{name} revoked"
        audit.note(session, actor, audit.Event.TOKEN_CHANGED, now(), detail=detail)
    remark(f"{name} opens nothing any more")
