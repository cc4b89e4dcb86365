"""Statements that are run for each image that comes in: compiled once, then run by the driver.

SQLAlchemy takes several times as long to run a small statement as SQLite, and threads that receive
share Python's lock. Here it makes the SQL and converts the values; its errors stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from screening.records.dialect import Insert, insert_of

Row = tuple[Any, ...]
_Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as a driver takes it.

    Attributes
    ----------
    sql
        Its text.
    names
        Of its parameters, in the order of their places; ``None`` where the driver takes names.
    fixed
        The values that are always the same, converted.
    converters
        By name, what makes of a value what the driver takes; absent where it takes it as it is.
    """

    sql: str
    names: tuple[str, ...] | None
    fixed: dict[str, Any]
    converters: dict[str, _Convert]

    def parameters(self, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of the driver
        """Return values as the driver takes them, by place or by name."""
        given = {**self.fixed, **values}
        for name, convert in self.converters.items():
            if name in values:
                given[name] = convert(given[name])
        return given if self.names is None else [given[name] for name in self.names]


class Prepared:
    """A statement with named parameters.

    Parameters
    ----------
    build
        Returns it; given what makes an INSERT that knows ON CONFLICT.
    """

    def __init__(self, build: Callable[[Insert], Executable]) -> None:
        self._build = build
        self._compiled: dict[tuple[str, frozenset[str]], _Compiled] = {}

    def run(self, connection: Connection, **values: Any) -> list[Row]:  # noqa: ANN401 - of any type
        """Run it in an open transaction, and return the rows that it returns.

        Raises
        ------
        DBAPIError
            If the database refuses, as SQLAlchemy would raise it.
        """
        compiled = self._of(connection.dialect, values)
        driver = connection.connection.driver_connection
        assert driver is not None, "the transaction is open"
        errors = connection.dialect.loaded_dbapi.Error
        try:
            cursor = driver.execute(compiled.sql, compiled.parameters(values))
            return [] if cursor.description is None else cursor.fetchall()
        except errors as error:
            raise DBAPIError.instance(
                compiled.sql, None, error, errors, hide_parameters=True, dialect=connection.dialect
            ) from error

    def scalar(self, connection: Connection, **values: Any) -> Any:  # noqa: ANN401 - of any type
        """Run it, and return the first value of the first row, or ``None`` without a row."""
        rows = self.run(connection, **values)
        return rows[0][0] if rows else None

    def _of(self, dialect: Dialect, values: Mapping[str, Any]) -> _Compiled:
        key = (dialect.name, frozenset(values))
        if key not in self._compiled:
            self._compiled[key] = _compile(self._build(insert_of(dialect)), dialect, values)
        return self._compiled[key]


def _compile(statement: Executable, dialect: Dialect, values: Mapping[str, Any]) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=list(values))  # type: ignore[attr-defined]
    assert isinstance(compiled, SQLCompiler)
    converters: dict[str, _Convert] = {
        name: convert
        for name, bind in compiled.binds.items()
        if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
    }
    fixed = {
        name: converters[name](value) if name in converters else value
        for name, value in compiled.params.items()
        if name not in values
    }
    names = tuple(compiled.positiontup) if compiled.positiontup is not None else None
    return _Compiled(compiled.string, names, fixed, converters)
