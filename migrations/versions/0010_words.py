"""the words of items' titles and brands, to be searched; the database itself keeps them right"""

import sqlalchemy as sa
from alembic import op

from indexer.errors import CatalogueError

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# The catalogue's number is a word, too: a word that is common in one costs another nothing.
SAID = (
    "'zqcatalogue' || {0}catalogue_id || ' ' || substr({0}title, 1, 1000)"
    " || ' ' || coalesce({0}brand, '')"
)
# What is indexed is not kept a second time, so that to delete it, it must be said again.
INTO = "INSERT INTO item_words"
FORGET = INTO + "(item_words, rowid, words) VALUES ('delete', old.id, " + SAID + ")"
LEARN = INTO + "(rowid, words) VALUES (new.id, " + SAID + ")"
# PostgreSQL's own parser takes "Nike/Adidas" for a file's path: signs become blanks. Accents are
# dropped: NFKD takes them off their letters, but a trade mark's sign would become letters.
SIGNS = "!\"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~\u2018\u2019\u201c\u201d\u2013\u2014\u00b7\u2022"
ACCENTS = "".join(map(chr, range(0x300, 0x370)))
BLANKS = " " * (len(SIGNS) - 1)  # the quote is written twice
DECOMPOSED = "normalize(translate({0}, '\u2122\u2120', '  '), NFKD)"
PLAIN = f"translate({DECOMPOSED}, '{SIGNS}{ACCENTS}', '{BLANKS}')".replace("{|}", "{{|}}")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _upgrade_sqlite()
    else:
        _upgrade_postgresql()


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for event in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER item_words_{event}")
        op.execute("DROP TABLE item_words")
    else:
        op.execute("DROP INDEX ix_item_words")
        op.execute("DROP FUNCTION lapel_words(text, text)")
        op.execute("DROP FUNCTION lapel_query(text)")


def _upgrade_sqlite() -> None:
    run = op.get_bind().exec_driver_sql
    try:
        run(
            "CREATE VIRTUAL TABLE item_words USING fts5("
            "words, content='', tokenize='unicode61 remove_diacritics 2')"
        )
    except sa.exc.OperationalError as error:
        if "fts5" not in str(error.orig):
            raise
        raise CatalogueError(
            "this Python's SQLite was built without FTS5, by which words are searched; use a "
            "Python whose sqlite3 has it, as those of python.org, Debian and conda do, or "
            "PostgreSQL"
        ) from error
    run(INTO + "(rowid, words) SELECT id, " + SAID.format("") + " FROM item")  # noqa: S608 - ours
    forget, learn = FORGET.format("old."), LEARN.format("new.")
    run(f"CREATE TRIGGER item_words_insert AFTER INSERT ON item BEGIN {learn}; END")
    run(f"CREATE TRIGGER item_words_delete AFTER DELETE ON item BEGIN {forget}; END")
    run(
        "CREATE TRIGGER item_words_update AFTER UPDATE OF catalogue_id, title, brand ON item"
        f" WHEN {SAID.format('old.')} IS NOT {SAID.format('new.')}"
        f" BEGIN {forget}; {learn}; END"
    )


def _upgrade_postgresql() -> None:
    said = PLAIN.format("left(title, 1000) || ' ' || coalesce(brand, '')")
    # With nothing but what is PostgreSQL's own inside: a dump is read back without a search path.
    for statement in (
        "CREATE FUNCTION lapel_words(title text, brand text) RETURNS tsvector LANGUAGE sql"
        f" IMMUTABLE PARALLEL SAFE AS $$ SELECT to_tsvector('pg_catalog.simple', {said}) $$",
        "CREATE FUNCTION lapel_query(words text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL"
        f" SAFE AS $$ SELECT phraseto_tsquery('pg_catalog.simple', {PLAIN.format('words')}) $$",
        "CREATE INDEX ix_item_words ON item USING gin (lapel_words(title, brand))",
    ):
        op.execute(sa.text(statement))
