from __future__ import annotations

import csv
import datetime as dt
import html.parser
import json
import resource
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_sets import class_folders, film
from PIL import Image, ImageOps

from models.audit.agreement import agreement
from models.audit.entry import Entry
from models.audit.figures import figures
from models.audit.findings import Findings, examine
from models.audit.leak import Leak, find_leaks
from models.audit.partition import Partition
from models.audit.proposal import propose
from models.audit.report import write_report
from models.audit.source import read_source
from models.dataset import read_split
from screening.dicom.wrap import wrap_file
from screening.errors import TrainingError


@pytest.fixture
def leaking_set(tmp_path: Path) -> Path:
    """Six films per class and split, and copies of them in places where none should be."""
    root = class_folders(tmp_path / "set", each=6, splits=("train", "val", "test"))
    original = Image.open(root / "train/fractured/0.png")
    original.save(root / "test/fractured/exact.png", compress_level=1)
    original.save(root / "test/fractured/again.jpg", quality=40)
    original.rotate(90).save(root / "test/fractured/turned.png")
    ImageOps.mirror(original).resize((150, 150)).save(root / "val/fractured/mirrored.png")
    other = Image.open(root / "train/fractured/1.png")
    other.save(root / "train/not_fractured/same.png", compress_level=1)
    other.resize((100, 100)).save(root / "train/not_fractured/small.png")
    (root / "train/fractured/empty.jpg").write_bytes(b"")
    cut = root / "val/not_fractured/cut.jpg"
    film(99).save(cut)
    cut.write_bytes(cut.read_bytes()[:-1500])
    Image.new("L", (90, 90), 3).save(root / "test/not_fractured/blank.png")
    return root


def leak(findings: Findings, split: str, into: str) -> Leak:
    return next(x for x in findings.leaks if (x.split, x.into) == (split, into))


def test_leaks_are_counted_once_by_their_best_copy(leaking_set: Path) -> None:
    findings = examine(read_source([leaking_set]))
    test = leak(findings, "test", "train")
    assert (test.files, test.exact, test.near, test.turned) == (16, 1, 1, 1)
    val = leak(findings, "val", "train")
    assert (val.files, val.exact, val.near, val.turned) == (14, 0, 0, 1)
    assert leak(findings, "test", "val").leaking == 3
    (mirrored,) = val.copies
    assert mirrored.likeness is not None
    assert mirrored.likeness.orientation == "mirrored"


def test_faults_are_listed_with_their_kind(leaking_set: Path) -> None:
    findings = examine(read_source([leaking_set]))
    found = {findings.entries[x.entry].path.name: x.fault.value for x in findings.faults}
    assert found == {"empty.jpg": "corrupt", "cut.jpg": "truncated", "blank.png": "blank"}


def test_conflicts_are_equal_pixels_first_then_likeness(leaking_set: Path) -> None:
    findings = examine(read_source([leaking_set]))
    exact, *near = findings.conflicts
    assert exact.likeness is None
    assert {findings.entries[exact.first].path.name, findings.entries[exact.second].path.name} == {
        "1.png",
        "same.png",
    }
    # The disputed picture has both labels itself, so its near copy proves nothing more.
    assert near == []


def test_a_near_copy_with_another_label_is_a_conflict(tmp_path: Path) -> None:
    root = class_folders(tmp_path)
    film(1).rotate(180).save(root / "not_fractured/turned.png")
    (found,) = examine(read_source([root])).conflicts
    assert found.likeness is not None
    assert found.likeness.orientation == "turned by 180°"


def test_exact_copies_alone_need_no_signatures(leaking_set: Path) -> None:
    findings = examine(read_source([leaking_set]), near=False)
    assert len(findings.pairs) == 0
    assert leak(findings, "test", "train").leaking == 1
    assert figures(findings)["near_copies"] is None


def test_a_set_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "set.csv"
    table.write_text("path,label\na.png,normal\nb.png,fractured\n")
    with pytest.raises(TrainingError, match=r"none of the 2 images.*a\.png.*--root"):
        examine(read_source([table]))


def test_a_table_with_groups_is_compared_with_what_was_found(tmp_path: Path) -> None:
    one, two = film(1), film(2)
    for number, picture in enumerate([one, one.rotate(90), one.rotate(180), two, film(3), film(4)]):
        picture.save(tmp_path / f"{number}.png")
    rows = ["0,a,train", "1,a,train", "2,b,val", "3,c,test", "4,c,train", "5,,train"]
    lines = [
        f"{row[0]}.png,{'normal' if row[0] in '35' else 'fractured'},{row[2:]}" for row in rows
    ]
    (tmp_path / "set.csv").write_text("\n".join(["path,label,group,split", *lines]) + "\n")
    findings = examine(read_source([tmp_path / "set.csv"]))
    known = findings.agreement
    assert known is not None
    assert (known.known, known.found, known.confirmed, known.linked) == (2, 3, 1, 1)
    assert (known.precision, known.recall) == (1 / 3, 1 / 2)
    assert leak(findings, "test", "train").related == 1
    groups = [x.group for x in findings.assigned]
    assert groups[0] == groups[1] == groups[2], "likeness joins what the groups part"
    assert groups[3] == groups[4], "and groups join what is not alike"


def test_dicom_is_read_like_pictures(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set", splits=("train", "test"))
    target = root / "test/fractured/again.dcm"
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    wrap_file(root / "train/fractured/0.png", target, now=now)
    target.rename(target.with_suffix(""))
    found = leak(examine(read_source([root])), "test", "train")
    assert (found.files, found.near) == (7, 1)


entries_and_sources = st.lists(
    st.tuples(st.sampled_from(["fractured", "not_fractured"]), st.integers(0, 12)),
    min_size=1,
    max_size=60,
)


@given(entries_and_sources, st.integers(0, 5))
def test_no_source_is_ever_in_two_splits(rows: list[tuple[str, int]], seed: int) -> None:
    entries = [Entry(f"{i}.png", Path(f"{i}.png"), label) for i, (label, _) in enumerate(rows)]
    sources = [source for _, source in rows]
    assigned = propose(entries, sources, {0: "cannot be read"}, seed)
    assert assigned[0].split == "excluded"
    splits: dict[int, set[str]] = {}
    for source, item in list(zip(sources, assigned, strict=True))[1:]:
        splits.setdefault(source, set()).add(item.split)
    assert all(len(found) == 1 for found in splits.values())
    assert assigned == propose(entries, sources, {0: "cannot be read"}, seed)


def test_a_proposal_keeps_the_classes_in_proportion() -> None:
    labels = ["fractured"] * 200 + ["not_fractured"] * 800
    entries = [Entry(f"{i}", Path(f"{i}"), label) for i, label in enumerate(labels)]
    counts = Counter(
        (item.split, entry.label)
        for item, entry in zip(propose(entries, range(1000), {}, 1), entries, strict=True)
    )
    assert counts["train", "fractured"] == pytest.approx(140, abs=2)
    assert counts["test", "not_fractured"] == pytest.approx(120, abs=2)
    other = propose(entries, range(1000), {}, 2)
    assert other != propose(entries, range(1000), {}, 1)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_a_partition_is_the_closure_of_its_pairs(pairs: list[tuple[int, int]]) -> None:
    found = Partition(20)
    found.join_all(pairs)
    reach = [{i} for i in range(20)]
    for _ in range(20):
        for a, b in pairs:
            reach[a] |= reach[b]
            reach[b] |= reach[a]
    assert [found.group(i) for i in range(20)] == [min(group) for group in reach]


class _Reader(html.parser.HTMLParser):
    """What a browser would make of a page: its text, its tags, and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_report_is_whole_and_needs_nothing_else(leaking_set: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in leaking_set.rglob("*")}
    findings = examine(read_source([leaking_set]))
    out = tmp_path / "deep/report"
    write_report(findings, out)
    assert {path.name for path in out.iterdir()} == {
        *("report.md", "report.html", "report.json", "index.csv"),
        *("leaks.csv", "conflicts.csv", "pairs.csv", "faults.csv"),
        *("leaks.png", "conflicts.png", "copies.png", "faults.png"),
    }
    assert [path.name for path in out.parent.iterdir()] == ["report"]
    assert {path: path.stat().st_mtime_ns for path in leaking_set.rglob("*")} == before
    reader = _Reader()
    reader.feed((out / "report.html").read_text())
    assert reader.tags["img"] == 4
    assert all(source.startswith("data:image/png;base64,") for source in reader.sources)
    assert "script" not in reader.tags
    opening = "1 of 16 test files (6.2 %) have an exact copy in train, and 2 more a near"
    assert opening in reader.text
    assert opening in (out / "report.md").read_text()
    assert json.loads((out / "report.json").read_text()) == figures(findings)


def test_training_reads_the_proposed_split(leaking_set: Path, tmp_path: Path) -> None:
    write_report(examine(read_source([leaking_set]), seed=3), tmp_path / "report")
    split_of: dict[str, str] = {}
    for split in ("train", "val", "test"):
        for row in read_split(tmp_path / "report", split):
            assert row.path.is_file()
            assert split_of.setdefault(row.group, split) == split
    rows = csv.DictReader((tmp_path / "report/index.csv").read_text().splitlines())
    excluded = {Path(r["path"]).name: r["why_excluded"] for r in rows if r["split"] == "excluded"}
    assert set(excluded) == {"0.png", "1.png", "same.png", "empty.jpg", "blank.png"}
    assert excluded["0.png"] == "exact copy of test/fractured/exact.png"


def test_boxes_and_other_columns_go_along(tmp_path: Path) -> None:
    root = tmp_path / "set"
    class_folders(root, each=4)
    names = [f"{label}/{i}.png" for label in ("fractured", "not_fractured") for i in range(4)]
    rows = [f"{name},{name.split('/')[0]},train,g{name},1" for name in names]
    (root / "index.csv").write_text("\n".join(["path,label,split,group,hardware", *rows]) + "\n")
    (root / "boxes.csv").write_text(
        "path,x_center,y_center,width,height\nfractured/0.png,0.5,0.4,0.2,0.1\nx.png,0,0,0,0\n"
    )
    write_report(examine(read_source([root])), tmp_path / "report")
    found = [row for s in ("train", "val", "test") for row in read_split(tmp_path / "report", s)]
    assert [len(row.boxes) for row in found if row.path.name == "0.png" and row.fractured] == [1]
    assert all(row.attributes["hardware"] == "1" for row in found)


def test_a_report_never_replaces_and_never_enters_the_set(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set")
    findings = examine(read_source([root]))
    (tmp_path / "report").mkdir()
    with pytest.raises(TrainingError, match=r"already there.*--out"):
        write_report(findings, tmp_path / "report")
    with pytest.raises(TrainingError, match="inside the set"):
        write_report(findings, root / "report")


def test_a_failed_report_leaves_nothing(tmp_path: Path) -> None:
    findings = examine(read_source([class_folders(tmp_path / "set")]))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Large enough for the Markdown, too small for the page: the report ends in its middle.
    resource.setrlimit(resource.RLIMIT_FSIZE, (3500, before[1]))
    try:
        with pytest.raises(TrainingError, match="File too large"):
            write_report(findings, tmp_path / "out/report")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_hostile_name_is_only_text(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set")
    (root / "fractured/<script>|`x`\x1b.png").write_bytes(b"")
    film(1).save(root / "not_fractured/<img src=x>.png")
    write_report(examine(read_source([root])), tmp_path / "report")
    page = (tmp_path / "report/report.html").read_text()
    assert "<script>" not in page
    assert "<img src=x>" not in page
    assert "\x1b" not in page + (tmp_path / "report/report.md").read_text()


@pytest.fixture(scope="module")
def multiregion(test_data: Path) -> Findings:
    """The published set, decoded once for all tests: 10,548 rows of 3,875 files."""
    return examine(read_source([test_data / "multiregion" / "kaggle_paths.csv"]))


def test_the_published_split_of_multiregion_leaks_as_stated(multiregion: Findings) -> None:
    assert len(multiregion.entries) == 10_548
    assert len(multiregion.first_entry) == 3_875
    found = {(x.split, x.into): (x.exact, x.files) for x in multiregion.leaks}
    assert found["val", "train"] == (724, 826)
    assert found["test", "train"] == (488, 504)


def test_turned_copies_are_found_as_well_as_documented(
    multiregion: Findings, test_data: Path
) -> None:
    rows = csv.DictReader((test_data / "multiregion/index.csv").read_text().splitlines())
    groups = {row["path"]: row["group"] for row in rows}
    grouped = [replace(entry, group=groups[entry.name]) for entry in multiregion.entries]
    known = agreement(grouped, multiregion.first_entry, multiregion.pairs)
    assert known is not None
    assert known.known == 62_508
    assert known.recall > 0.975
    # All but a handful of the others are copies too, which those groups overlook.
    assert known.precision > 0.97


def test_the_split_proposed_for_multiregion_does_not_leak(multiregion: Findings) -> None:
    splits = [item.split for item in multiregion.assigned]
    entries = [
        replace(entry, split=split)
        for entry, split in zip(multiregion.entries, splits, strict=True)
    ]
    again = find_leaks(entries, multiregion.picture_of, multiregion.pairs)
    assert [found.leaking for found in again] == [0, 0, 0]
