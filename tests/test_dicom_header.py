"""Headers: read leniently, in every character set, without warnings, and never lost to a label."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import struct
import warnings
import zlib
from collections.abc import MutableSequence
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screening.dicom import data_set, elements
from screening.dicom.data_set import EXPLICIT_LITTLE
from screening.dicom.header import read_header
from screening.dicom.part10 import part10_head
from screening.dicom.values import age_between, parse_age, parse_date, parse_integer, parse_time
from screening.domain.instance import InstanceHeader
from screening.errors import HeaderError

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
DX = b"1.2.840.10008.5.1.4.1.1.1.1"
LONG_VRS = ("OB", "OW", "SQ", "UN", "UT")

Elements = dict[int, tuple[str, bytes]]

UIDS: Elements = {
    0x00080016: ("UI", DX),
    0x00080018: ("UI", b"1.2.3.4"),
    0x0020000D: ("UI", b"1.2.3"),
}


def element(tag: int, vr: str, value: bytes, order: str = "<", *, implicit: bool = False) -> bytes:
    length = 0xFFFFFFFF if vr == "SQ" else len(value)
    if implicit:
        return struct.pack(order + "HHL", tag >> 16, tag & 0xFFFF, length) + value
    head = struct.pack(order + "HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in LONG_VRS:
        return head + struct.pack(order + "HL", 0, length) + value
    return head + struct.pack(order + "H", length) + value


def encoded(elements: Elements, order: str = "<", *, implicit: bool = False) -> bytes:
    return b"".join(
        element(tag, vr, value, order, implicit=implicit)
        for tag, (vr, value) in sorted(elements.items())
    )


def part10(body: bytes, syntax: str = EXPLICIT) -> bytes:
    meta = element(0x00020010, "UI", syntax.encode().ljust(20, b"\0"))
    return bytes(128) + b"DICM" + meta + body


def header_of(folder: Path, elements: Elements, **affected: str) -> InstanceHeader:
    path = folder / "image.dcm"
    path.write_bytes(part10(encoded({**UIDS, **elements})))
    return read_header(path, **affected)


def test_what_a_radiograph_says_of_itself(tmp_path: Path) -> None:
    header = header_of(
        tmp_path,
        {
            0x00080008: ("CS", b"ORIGINAL\\PRIMARY"),
            0x00080020: ("DA", b"20240229"),
            0x00080030: ("TM", b"235959.5"),
            0x00080060: ("CS", b"DX"),
            0x00080068: ("CS", b"FOR PRESENTATION"),
            0x00100010: ("PN", b"Doe^Jane^^^ "),
            0x00100020: ("LO", b"4711 "),
            0x00100030: ("DA", b"19840229"),
            0x00180015: ("CS", b"hand"),
            0x00200011: ("IS", b"2 "),
            0x00200060: ("CS", b"L"),
            0x00200062: ("CS", b"R"),
            0x00280002: ("US", b"\1\0"),
            0x00280010: ("US", b"\x00\x08"),
            0x00280011: ("US", b"\x00\x04"),
            0x7FE00010: ("OW", b"\0\0"),
        },
    )

    assert header == InstanceHeader(
        sop_instance_uid="1.2.3.4",
        sop_class_uid=DX.decode(),
        study_instance_uid="1.2.3",
        transfer_syntax_uid=EXPLICIT,
        patient_id="4711",
        patient_name="Doe^Jane",
        patient_birth_date=dt.date(1984, 2, 29),
        age_years=40.0,
        study_date=dt.date(2024, 2, 29),
        study_time=dt.time(23, 59, 59, 500_000),
        modality="DX",
        series_number=2,
        body_part="HAND",
        laterality="R",
        image_type=("ORIGINAL", "PRIMARY"),
        presentation_intent="FOR PRESENTATION",
        samples_per_pixel=1,
        rows=2048,
        columns=1024,
        has_pixel_data=True,
    )


JAPANESE = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"


@pytest.mark.parametrize(
    ("character_set", "value", "expected"),
    [
        (b"ISO_IR 100", "Müller^Jürgen".encode("latin-1"), "Müller^Jürgen"),
        (b"ISO_IR 192", "Müller^Ωμέγα".encode(), "Müller^Ωμέγα"),
        (b"ISO-IR_144", "Лидия".encode("iso8859-5"), "Лидия"),
        (b"\\ISO 2022 IR 87", JAPANESE, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (b"\\ISO 2022 IR 149", b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce", "Hong=洪^吉"),
        (b"GB18030", "Wang^誠=王^小东".encode("gb18030"), "Wang^誠=王^小东"),
        (b"", "Müller".encode(), "Müller"),
        (b"", "Müller".encode("latin-1"), "Müller"),
        (b"KLINGON", "Müller".encode(), "Müller"),
        (b"ISO_IR 192", "Müller".encode("latin-1"), "M\ufffdller"),
        (b"ISO_IR 100", b"Doe\x1b%ZJane", "DoeJane"),
        (b"", b"  Doe  ^ Jane ^^= =", "Doe^Jane"),
        (b"", b"=Y^T", "=Y^T"),
        (b"", b"^^^^", None),
        (b"", b"Doe\0\0", "Doe"),
        (b"", b"A\\B", "A"),
    ],
)
def test_names_in_every_character_set(
    tmp_path: Path, character_set: bytes, value: bytes, expected: str | None
) -> None:
    elements: Elements = {0x00080005: ("CS", character_set), 0x00100010: ("PN", value)}

    assert header_of(tmp_path, elements).patient_name == expected


def test_a_backslash_inside_a_chinese_character_separates_nothing(tmp_path: Path) -> None:
    value = "誠".encode("gb18030")
    assert b"\\" in value
    header = header_of(
        tmp_path, {0x00080005: ("CS", b"GB18030"), 0x00100020: ("LO", value + b"\\2")}
    )
    assert header.patient_id == "誠"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240101", dt.date(2024, 1, 1)),
        ("2024.01.01", dt.date(2024, 1, 1)),
        ("2024-01-01", dt.date(2024, 1, 1)),
        ("20240101123000", dt.date(2024, 1, 1)),
        ("20240230", None),
        ("00010101", None),
        ("", None),
        ("unknown", None),
        ("\uff12024\uff10101", None),
    ],
)
def test_dates(text: str, expected: dt.date | None) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("123456.789", dt.time(12, 34, 56, 789_000)),
        ("12:34:56", dt.time(12, 34, 56)),
        ("1234", dt.time(12, 34)),
        ("12", dt.time(12)),
        ("235960", dt.time(23, 59, 59)),
        ("250000", None),
        ("noon", None),
    ],
)
def test_times(text: str, expected: dt.time | None) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("045Y", 45.0), ("018M", 1.5), ("45y ", 45.0), ("999Y", None), ("45", None), ("Y", None)],
)
def test_ages(text: str, expected: float | None) -> None:
    assert parse_age(text) == expected


def test_ages_in_weeks_and_days() -> None:
    assert parse_age("002W") == pytest.approx(14 / 365.25)
    assert parse_age("010D") == pytest.approx(10 / 365.25)


def test_age_is_whole_on_a_birthday_and_below_it_the_day_before() -> None:
    assert age_between(dt.date(2020, 2, 29), dt.date(2022, 3, 1)) == 2.0
    before = age_between(dt.date(2020, 3, 1), dt.date(2022, 2, 28))
    assert before is not None
    assert 1.9 < before < 2.0
    assert age_between(dt.date(2020, 3, 1), dt.date(2019, 2, 28)) is None
    assert age_between(None, dt.date(2019, 2, 28)) is None


@given(st.text())
def test_junk_is_none_and_never_an_error(text: str) -> None:
    for parse in (parse_date, parse_time, parse_age, parse_integer):
        parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12 ", 12), ("+3", 3), ("1.0", 1), ("99999999999", None), ("nan", None), ("1A", None)],
)
def test_integer_strings(text: str, expected: int | None) -> None:
    assert parse_integer(text) == expected


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("US", b"\x00\x08", 2048),
        ("US", b"\x00\x08\x01\x00", 2048),
        ("IS", b"2048", 2048),
        ("UL", b"\x00\x08\x00\x00", 2048),
        ("UN", b"\x00\x08", 2048),
        ("US", b"\x08", None),
        ("LO", b"many", None),
        ("US", b"", None),
    ],
)
def test_rows_in_a_wrong_vr(tmp_path: Path, vr: str, value: bytes, expected: int | None) -> None:
    assert header_of(tmp_path, {0x00280010: (vr, value)}).rows == expected


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_every_native_transfer_syntax(tmp_path: Path, syntax: str) -> None:
    order = ">" if syntax == BIG_ENDIAN else "<"
    elements = {
        **UIDS,
        0x00100020: ("LO", b"4711"),
        0x00280010: ("US", struct.pack(order + "H", 300)),
        0x7FE00010: ("OW", b"\0\0"),
    }
    body = encoded(elements, order, implicit=syntax == IMPLICIT)
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = packer.compress(body) + packer.flush()
    path = tmp_path / "image.dcm"

    path.write_bytes(part10(body, syntax))
    header = read_header(path)

    assert (header.patient_id, header.rows, header.transfer_syntax_uid) == ("4711", 300, syntax)
    assert header.has_pixel_data


@pytest.mark.parametrize(("order", "implicit", "syntax"), [
    ("<", False, EXPLICIT), ("<", True, IMPLICIT), (">", False, BIG_ENDIAN),
])  # fmt: skip
def test_a_bare_data_set_shows_its_encoding(
    tmp_path: Path, order: str, implicit: bool, syntax: str
) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(encoded(UIDS, order, implicit=implicit))

    assert read_header(path).transfer_syntax_uid == syntax


def test_data_that_contradict_their_transfer_syntax_are_believed(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(part10(encoded(UIDS, implicit=True), EXPLICIT))

    assert read_header(path).sop_instance_uid == "1.2.3.4"


def test_the_affected_uids_stand_in_for_missing_ones(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(part10(encoded({0x0020000D: ("UI", b"1.2.3")})))

    header = read_header(path, sop_class_uid="1.9", sop_instance_uid="1.8")

    assert (header.sop_class_uid, header.sop_instance_uid) == ("1.9", "1.8")


@pytest.mark.parametrize(
    ("tag", "name"),
    [(0x00080016, "SOPClassUID"), (0x00080018, "SOPInstanceUID"), (0x0020000D, "StudyInstanceUID")],
)
@pytest.mark.parametrize("value", [b"", b" \0", b"1." * 200])
def test_a_missing_uid_is_named(tmp_path: Path, tag: int, name: str, value: bytes) -> None:
    with pytest.raises(HeaderError, match=rf"{name} .*Type 1"):
        header_of(tmp_path, {tag: ("UI", value)})


def test_an_overlong_series_uid_is_as_good_as_none(tmp_path: Path) -> None:
    header = header_of(tmp_path, {0x0020000E: ("UI", b"1." * 200)})

    assert header.series_instance_uid is None


@pytest.mark.parametrize("content", [b"", b"no", b"not DICOM at all", bytes(4096), b"\x89PNG" * 99])
def test_what_is_not_dicom_is_called_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(content)
    with pytest.raises(HeaderError, match="not DICOM"):
        read_header(path)


def test_a_deflated_data_set_that_does_not_inflate(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(part10(b"\xff\xff\xff\xff", DEFLATED))
    with pytest.raises(HeaderError, match="inflate"):
        read_header(path)


def test_a_data_set_that_breaks_off_says_where(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    body = encoded({0x00080016: ("UI", DX), 0x00080018: ("UI", b"1.2.3.4")})
    path.write_bytes(part10(body + element(0x00100010, "PN", b"Secret^Name")[:-4]))
    with pytest.raises(HeaderError, match=r"breaks off in element \(0010,0010\)") as caught:
        read_header(path)
    assert "Secret" not in str(caught.value)


def test_what_comes_before_the_break_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(part10(encoded(UIDS) + element(0x00280010, "US", b"\1\0")[:-1]))

    assert read_header(path).rows is None


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (b"", False),
        (element(0x7FE00010, "OW", b""), False),
        (element(0x7FE00010, "OW", b"\0\0"), True),
        (element(0x7FE00008, "UN", b"\0\0\0\0"), True),
        (b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\0\0\0\0", False),
        (
            b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"
            + b"\xfe\xff\0\xe0\0\0\0\0"
            + b"\xfe\xff\0\xe0\2\0\0\0\1\2",
            True,
        ),
        (
            b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"
            + b"\xfe\xff\0\xe0\0\0\0\0"
            + b"\xfe\xff\xdd\xe0\0\0\0\0",
            False,
        ),
    ],
)
def test_whether_there_are_pixels(tmp_path: Path, pixels: bytes, expected: bool) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(part10(encoded(UIDS) + pixels))

    assert read_header(path).has_pixel_data is expected


ITEM = b"\xfe\xff\0\xe0\xff\xff\xff\xff"
ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def test_body_part_from_the_anatomic_region(tmp_path: Path) -> None:
    meaning = element(0x00080100, "SH", b"T-D2600") + element(0x00080104, "LO", b"Elbow joint")
    region = ITEM + meaning + ITEM_END + SEQUENCE_END

    header = header_of(tmp_path, {0x00082218: ("SQ", region), 0x00180015: ("CS", b"")})

    assert header.body_part == "ELBOW JOINT"


def test_deep_nesting_does_not_recurse(tmp_path: Path) -> None:
    depth = 50_000
    head = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    nested = (head + ITEM) * depth + (ITEM_END + SEQUENCE_END) * depth
    path = tmp_path / "image.dcm"
    uids = [element(tag, *UIDS[tag]) for tag in sorted(UIDS)]
    path.write_bytes(part10(uids[0] + uids[1] + nested + uids[2]))

    assert read_header(path).study_instance_uid == "1.2.3"


def test_nothing_is_warned_of_and_nothing_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        header_of(
            tmp_path,
            {
                0x00080005: ("CS", b"KLINGON"),
                0x00080020: ("DA", b"SECRET"),
                0x00100010: ("PN", b"\xff" * 300),
                0x00200011: ("IS", b"SECRET"),
            },
        )
    assert caught == []
    assert caplog.records == []


def strings_of(header: InstanceHeader) -> list[str]:
    values = dataclasses.astuple(header)
    return [v for v in (*values, *header.image_type) if isinstance(v, str)]


def assert_storable(header: InstanceHeader) -> None:
    for text in strings_of(header):
        assert "\0" not in text
        assert 0 < len(text) <= 256
        text.encode("utf-8")


TAGS = (
    *(0x00080005, 0x00080008, 0x00080020, 0x00080030, 0x00080050, 0x00080060, 0x00080090),
    *(0x0008103E, 0x00082218, 0x00100010, 0x00100020, 0x00100030, 0x00101010, 0x00180015),
    *(0x0020000E, 0x00200011, 0x00280008, 0x00280010, 0x00280011),
)
VRS = st.sampled_from(["CS", "LO", "PN", "UI", "US", "IS", "DA", "UN", "SQ", "OB", "ZZ", "UT"])
CHARACTER_SETS = st.sampled_from(
    [b"", b"ISO_IR 192", b"ISO_IR 13\\ISO 2022 IR 87", b"GB18030", b"\\ISO 2022 IR 149", b"?"]
)
VALUES = st.binary(max_size=80) | st.text(max_size=40).map(lambda t: t.encode("utf-8", "replace"))
MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@MANY
@given(
    elements=st.dictionaries(st.sampled_from(TAGS), st.tuples(VRS, VALUES)),
    character_set=CHARACTER_SETS,
)
def test_any_values_give_a_storable_header_or_a_header_error(
    tmp_path: Path, elements: Elements, character_set: bytes
) -> None:
    try:
        header = header_of(tmp_path, {**elements, 0x00080005: ("CS", character_set)})
    except HeaderError:
        return
    assert_storable(header)


@MANY
@given(data=st.data())
def test_any_damage_gives_a_storable_header_or_a_header_error(
    tmp_path: Path, data: st.DataObject
) -> None:
    body = encoded({**UIDS, 0x00082218: ("SQ", ITEM + ITEM_END + SEQUENCE_END)})
    content = bytearray(part10(body + element(0x7FE00010, "OW", bytes(8))))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(128, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "image.dcm"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        header = read_header(path)
    except HeaderError:
        return
    assert_storable(header)


COMPARED = {
    "sop_instance_uid": "SOPInstanceUID",
    "study_instance_uid": "StudyInstanceUID",
    "series_instance_uid": "SeriesInstanceUID",
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "modality": "Modality",
    "rows": "Rows",
    "columns": "Columns",
    "samples_per_pixel": "SamplesPerPixel",
    "series_number": "SeriesNumber",
    "manufacturer": "Manufacturer",
    "study_description": "StudyDescription",
    "photometric_interpretation": "PhotometricInterpretation",
}


def test_agrees_with_pydicom_on_real_files(test_data: Path) -> None:
    compared = 0
    for path in sorted((test_data / "dicom").rglob("*")):
        if not path.is_file():
            continue
        try:
            header = read_header(path)
        except HeaderError:
            continue
        expected = as_pydicom_reads(path)
        actual = {name: getattr(header, name) for name in COMPARED}
        assert actual == expected, path.name
        compared += 1
    assert compared > 250


def as_pydicom_reads(path: Path) -> dict[str, object]:
    with warnings.catch_warnings():
        # pydicom warns of what is odd in these files; that it reads them is what counts here.
        warnings.simplefilter("ignore")
        keywords = list(COMPARED.values())
        ds = pydicom.dcmread(path, force=True, specific_tags=keywords, stop_before_pixels=True)
        return {name: first_of(ds.get(keyword)) for name, keyword in COMPARED.items()}


def first_of(value: object) -> object:
    if isinstance(value, MutableSequence):
        value = value[0] if value else None
    if value is None or isinstance(value, int):
        return value
    return str(value).strip().rstrip("^") or None


def test_plain_elements_without_end_are_given_up_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.dcm"
    elements_of_nobody = b"".join(
        struct.pack("<HH2sH", 0x0019, 0x1000 + number, b"LO", 0) for number in range(2000)
    )
    study = struct.pack("<HH2sH", 0x0020, 0x000D, b"UI", 4) + b"1.2\0"
    head = part10_head("1.2", "1.2.3", EXPLICIT_LITTLE, "X")
    path.write_bytes(head + elements_of_nobody + study)
    named = {"sop_class_uid": "1.2", "sop_instance_uid": "1.2.3"}
    assert read_header(path, **named).study_instance_uid == "1.2"
    monkeypatch.setattr(data_set, "MOST_ELEMENTS", 1000)
    with pytest.raises(HeaderError, match="StudyInstanceUID"):
        read_header(path, **named)


def test_sequences_without_end_are_given_up_before_they_hold_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four million items in a few kilobytes: each inflates to eight bytes.
    nested = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 100_000
    head = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    content = nested.compress(head) + b"".join(nested.compress(item) for _ in range(40))
    path = tmp_path / "bomb.dcm"
    path.write_bytes(part10_head("1.2", "1.2.3", DEFLATED, "X") + content + nested.flush())
    assert path.stat().st_size < 100_000
    looked_at = 0
    element_at = elements.Encoding.element_at

    def counted(
        self: elements.Encoding, data: bytes, position: int, *, explicit: bool
    ) -> elements.Element | None:
        nonlocal looked_at
        looked_at += 1
        return element_at(self, data, position, explicit=explicit)

    monkeypatch.setattr(elements.Encoding, "element_at", counted)
    with pytest.raises(HeaderError, match="breaks off"):
        read_header(path)
    assert looked_at < 1_001_000
