from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.plain_text import no_formula, person, plain

ANY_TEXT = st.text(st.characters())  # lone surrogates included
HOSTILE = ANY_TEXT | st.text("=+-@\t\r\n\x1b[]31m\u202e\x9b ^=")


@given(HOSTILE)
def test_nothing_unprintable_is_left(text: str) -> None:
    left = {unicodedata.category(character) for character in plain(text)}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(HOSTILE)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@given(HOSTILE)
def test_no_text_is_a_formula(text: str) -> None:
    assert no_formula(text)[:1] not in set("=+-@＝＋－＠\t\r\n")  # noqa: RUF001


@given(HOSTILE)
def test_a_name_of_any_kind_can_be_shown(text: str) -> None:
    assert person(text) == plain(person(text))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("DOE^JANE", "DOE, JANE"),
        ("DOE^JANE^ANNE^DR^PHD", "DOE, JANE ANNE"),
        ("DOE", "DOE"),
        ("^JANE", "JANE"),
        ("", ""),
        ("^^^^", ""),
        ("YAMADA^TARO=山田^太郎=やまだ^たろう", "YAMADA, TARO"),
        ("=山田^太郎", "山田, 太郎"),
        ("O'NEILL^MÁIRE", "O'NEILL, MÁIRE"),
        ("DOE\x1b[31m^JANE", "DOE [31m, JANE"),
    ],
)
def test_a_name_reads_as_people_write_it(name: str, shown: str) -> None:
    assert person(name) == shown
