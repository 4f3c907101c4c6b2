"""What `pinakes check --repair` makes again: whatever the schema declares, and every table that is derived."""

from __future__ import annotations

import pytest

from audit.test_audit import planted, subject, wrong
from conftest import ROOT
from pinakes.audit.part import Subject
from pinakes.bitmap.terms import ORDER_FIELDS
from pinakes.doctor.examine import CHECKS
from pinakes.store.pool import Pool
from pinakes.store.roles import make_roles

__all__ = ["subject"]

# Part, damage, and what a finding of it says. All of it is there at the same time.
DAMAGE: tuple[tuple[str, str, str], ...] = (
    ("schema", "ALTER TABLE tags DROP CONSTRAINT tags_name_key CASCADE", "constraint tags_name_key of tags is missing"),
    ("schema", "DROP INDEX content_items_words", "index content_items_words of content_items is missing"),
    ("schema", "ALTER TABLE users DISABLE TRIGGER dirty_changed", "trigger dirty_changed of users is switched off"),
    ("schema", "DROP FUNCTION fold_tag_counts()", "function fold_tag_counts() is missing"),
    ("schema", "ALTER TABLE users ALTER COLUMN created_at DROP DEFAULT", "default created_at of users is missing"),
    ("schema", "DROP TABLE figures", "table figures is missing"),
    ("schema", "ALTER TABLE tags ALTER COLUMN id RESTART WITH 2", "sequence id of tags stands at 2, and 6 is taken"),
    ("endings", "DELETE FROM tag_endings WHERE tag_id = 2", "tag 2: lacks 2, has 0 too many"),
    ("endings", "INSERT INTO tag_endings VALUES ('strange', 3, '')", "tag 3: lacks 0, has 1 too many"),
    ("endings", "INSERT INTO tag_endings VALUES ('strange', 999, '')", "tag 999: lacks 0, has 1 too many"),
    ("change-log", "DELETE FROM change_log", "1 epochs are not in the log"),
)  # fmt: skip


async def test_everything_declared_and_derived_is_found_and_made_again(subject: Subject) -> None:
    pool = subject.pool
    for _, statement, _ in DAMAGE:
        await planted(pool, statement)
    async with pool.acquire() as connection:
        doctor = [finding.said for finding in await CHECKS["declared"](connection, subject.settings)]
    parts = ("schema", "endings", "change-log")
    found = await wrong(subject, *parts)
    for part, _, said in DAMAGE:
        assert [text for text in found[part] if said in text], (said, found[part])
        if part == "schema":
            assert [text for text in doctor if said in text[0].lower() + text[1:]], (said, doctor)
    assert await wrong(subject, *parts, repair=True) == {}
    assert await wrong(subject) == {}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DROP INDEX {created_at}", "the index for created_at is missing or invalid"),
        ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{key}'::regclass", "the index for key is missing"),
        ("ALTER TABLE unified_content_with_tags DROP COLUMN prompt CASCADE", "column prompt is missing"),
        ("DROP TABLE unified_content_with_tags", "the read model is gone"),
    ],
)
async def test_a_damaged_read_model_is_named_and_built_anew(subject: Subject, damage: str, said: str) -> None:
    names = {
        row["name"].rpartition("_")[2] if "created" not in row["name"] else "created_at": row["name"]
        for row in await subject.pool.fetch(
            "SELECT indexrelid::regclass::text AS name FROM pg_index"
            " WHERE indrelid = 'unified_content_with_tags'::regclass"
        )
    }
    await planted(subject.pool, damage.format(**names))
    assert any(said in text for text in (await wrong(subject, "schema"))["schema"])
    assert await wrong(subject, "schema", repair=True) == {}
    assert await wrong(subject, "read-model") == {}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM index_follower", "nobody knows which epochs it has"),
        ("DELETE FROM index_code WHERE field = 'title'", f"has codes of {len(ORDER_FIELDS) - 1} of"),
        ("DELETE FROM term_segment WHERE term LIKE 'tag:%'", "lacks"),
    ],
)  # fmt: skip
async def test_an_index_that_lost_a_part_is_named_and_built_anew(subject: Subject, damage: str, said: str) -> None:
    await planted(subject.pool, damage)
    assert any(said in text for text in (await wrong(subject, "index"))["index"])
    assert await wrong(subject, "index", repair=True) == {}


async def test_keys_that_let_in_equal_rows_are_told_with_the_rows_and_made_again_after_them(subject: Subject) -> None:
    pool = subject.pool
    await planted(
        pool,
        "ALTER TABLE tags DROP CONSTRAINT tags_name_key",
        "DROP INDEX tags_key",
        "INSERT INTO tags (name) VALUES ('tag 3'), ('Tag_4')",
    )
    indexes = "SELECT count(*) FROM pg_index WHERE indrelid = 'tags'::regclass"
    before = await pool.fetchval(indexes)
    by_name, by_key = (await wrong(subject, "schema", repair=True))["schema"]
    assert by_name.endswith('constraint tags_name_key of tags is missing; twice there: (name)=("tag 3")')
    rows = '; twice there: (key)=("tag 3"); twice there: (key)=("tag 4")'
    assert by_key.endswith(f"index tags_key of tags is missing{rows}")
    assert await pool.fetchval(indexes) == before  # none that failed half way
    await pool.execute("CREATE INDEX tags_key ON tags (key)")
    await planted(
        pool, "UPDATE pg_index SET indisunique = true, indisvalid = false WHERE indexrelid = 'tags_key'::regclass"
    )
    assert (await wrong(subject, "schema", repair=True))["schema"][1].endswith(
        f"index tags_key of tags is invalid{rows}"
    )
    assert await pool.fetchval(indexes) == before + 1
    assert await _tags_like(pool) == ["Tag_4", "tag 3", "tag 3", "tag 4"]
    documented = (ROOT / "docs" / "check.md").read_text("utf-8").partition("```sql\n")[2].partition("```")[0]
    assert "BEGIN;" in documented
    await pool.execute(documented)
    assert await wrong(subject, "schema", repair=True) == {}
    assert await _tags_like(pool) == ["tag 3", "tag 4"]


async def _tags_like(pool: Pool) -> list[str]:
    return [
        row["name"] for row in await pool.fetch("SELECT name FROM tags WHERE key IN ('tag 3', 'tag 4') ORDER BY name")
    ]


async def test_rights_of_the_roles_are_given_again(subject: Subject) -> None:
    pool: Pool = subject.pool
    async with pool.acquire() as connection:
        await make_roles(connection)
    assert await wrong(subject, "schema") == {}
    await pool.execute("REVOKE UPDATE ON tags FROM pinakes_app")
    assert (await wrong(subject, "schema"))["schema"] == ["roles: pinakes_app has no UPDATE on tags"]
    assert await wrong(subject, "schema", repair=True) == {}
