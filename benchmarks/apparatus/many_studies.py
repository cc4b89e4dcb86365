"""Records with as many studies as a hospital has in years, written by the database itself."""

from __future__ import annotations

from sqlalchemy import Connection, text

from screening.records.engine import Records

DAYS = 1000
"""Over which the studies are spread, the last of them 2026-03-01."""

# A pseudo-random number in 0 to 9999 for each study, the same everywhere.
_DRAWN = "(((n % 10007) * 7919 + 104729) % 10007)"
_SERIES = {
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :most) "
    "SELECT n FROM s) AS numbers",
    "postgresql": "generate_series(1, :most) AS numbers(n)",
}
_TIME = {
    "sqlite": "datetime('2026-03-01', '-' || (n % 1000) || ' days')",
    "postgresql": "(timestamptz '2026-03-01' - make_interval(days => n % 1000))",
}
_DATE = {
    "sqlite": "date('2026-03-01', '-' || (n % 1000) || ' days')",
    "postgresql": "(date '2026-03-01' - n % 1000)",
}
_PAD = {
    "sqlite": "printf('%07d', n)",
    "postgresql": "lpad(n::text, 7, '0')",
}


def fill(records: Records, studies: int) -> None:
    """File studies of three images each: two in a hundred flagged, one in fifty not scored."""
    with records.write() as connection:
        kind = connection.dialect.name
        for statement in _statements():
            _run(connection, statement, kind, studies)
    with records.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if kind == "sqlite" else "VACUUM ANALYZE"))


def some_study(records: Records, row: int) -> tuple[int, int]:
    """Return the place and the row of a study."""
    with records.read() as session:
        place = session.scalar(text("SELECT place FROM studies WHERE id = :row"), {"row": row})
    assert place is not None
    return int(place), row


def _run(connection: Connection, statement: str, kind: str, studies: int) -> None:
    words = {
        "{numbers}": _SERIES[kind],
        "{time}": _TIME[kind],
        "{date}": _DATE[kind],
        "{pad}": _PAD[kind],
        "{drawn}": _DRAWN,
    }
    for placeholder, word in words.items():
        statement = statement.replace(placeholder, word)
    connection.execute(text(statement), {"most": studies})


def _statements() -> list[str]:
    verdict = (
        "CASE WHEN {drawn} < 50 THEN 'suspected' WHEN {drawn} < 200 THEN 'doubtful' "
        "WHEN {drawn} < 220 THEN 'waiting' WHEN {drawn} < 420 THEN 'not_scored' ELSE 'clear' END"
    )
    score = (
        "CASE WHEN {drawn} < 50 THEN 0.7 + {drawn} / 200.0 WHEN {drawn} < 200 THEN 0.2 "
        "+ {drawn} / 500.0 WHEN {drawn} < 420 THEN NULL ELSE {drawn} / 60000.0 END"
    )
    part = (
        "CASE WHEN n % 997 = 0 THEN 'CLAVICLE' WHEN n % 5 = 0 THEN 'WRIST' WHEN n % 5 = 1 THEN "
        "'HAND' WHEN n % 5 = 2 THEN 'KNEE' WHEN n % 5 = 3 THEN 'FOOT' ELSE 'HIP' END"
    )
    return [
        "INSERT INTO associations (id, listener, calling_ae_title, called_ae_title, peer_address, "
        "opened_at, outcome, stored, duplicates, conflicts, refused) SELECT 1, 'here:1', 'SITE1', "
        "'NIGHTREAD', '127.0.0.1', {time}, 'released', 0, 0, 0, 0 FROM (SELECT 0 AS n) AS one",
        "INSERT INTO patients (id, identity_digest, patient_id, patient_name, patient_sex) "
        "SELECT n, {pad}, 'P' || {pad}, 'FAMILY' || (n % 20000) || '^GIVEN' || (n % 300), 'F' "
        "FROM {numbers}",
        "INSERT INTO studies (id, study_instance_uid, patient_row, accession_number, study_date, "
        "body_part, age_years, first_received_at, last_received_at, verdict, top_probability, "
        "revision, lane, calling_ae_title, images_received, images_scored, images_not_scored, "
        "review) SELECT n, '2.25.' || n, n, 'A' || {pad}, {date}, "
        f"{part}, n % 90, {{time}}, {{time}}, {verdict}, {score}, 1, CASE WHEN n % 3 = 0 THEN 0 "
        "ELSE 1 END, 'SITE' || (n % 7), 3, CASE WHEN {drawn} < 420 THEN 0 ELSE 3 END, "
        "CASE WHEN {drawn} >= 220 AND {drawn} < 420 THEN 3 ELSE 0 END, "
        "CASE WHEN n % 20 = 0 THEN 'agree' ELSE NULL END FROM {numbers}",
        "INSERT INTO series (id, study_row, series_instance_uid) SELECT n, n, '2.25.1' || n "
        "FROM {numbers}",
        *(
            "INSERT INTO instances (id, sop_instance_uid, sop_class_uid, transfer_syntax_uid, "
            "study_row, series_row, association_row, patient_row, digest, size_bytes, received_at, "
            f"state, lane, attempts) SELECT n * 3 + {image}, '2.25.{image}.' || n, '1.2', '1.2', "
            "n, n, 1, n, {pad}, 1000, {time}, CASE WHEN {drawn} < 220 AND {drawn} >= 200 THEN "
            "'waiting' WHEN {drawn} >= 220 AND {drawn} < 420 THEN 'not_scored' ELSE 'scored' END, "
            "0, 1 FROM {numbers}"
            for image in range(3)
        ),
        *(
            "INSERT INTO exclusions (instance_row, reason, detail, excluded_at) SELECT n * 3 + "
            f"{image}, CASE WHEN n % 4 = 0 THEN 'too_small' ELSE 'body_part_out_of_scope' END, '', "
            "{time} FROM {numbers} WHERE {drawn} >= 220 AND {drawn} < 420"
            for image in range(3)
        ),
        "INSERT INTO verdict_revisions (study_row, revision, verdict, top_probability, "
        "images_received, images_scored, images_not_scored, images_waiting, model_name, "
        "model_version, decided_at) SELECT n, 1, "
        f"{verdict}, {score}, 3, 3, 0, 0, 'mobilenet_v2', '0.2.0', {{time}} FROM {{numbers}}",
        "INSERT INTO study_reasons (study_row, reason, place) SELECT DISTINCT s.id, e.reason, "
        "s.place FROM exclusions e JOIN instances i ON i.id = e.instance_row "
        "JOIN studies s ON s.id = i.study_row",
        *(
            f"INSERT INTO study_words (study_row, word) SELECT n, {word} FROM {{numbers}}"
            for word in (
                "'p' || {pad}",
                "'a' || {pad}",
                "'family' || (n % 20000)",
                "'given' || (n % 300)",
            )
        ),
    ]
