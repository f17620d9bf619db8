"""A text's words in, what the shop's own feed says of them out: which items' words they are.

The database has the words of titles and brands in a full-text index (migration 0010). Nothing is
guessed: neither other forms of a word nor what is misspelt.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, bindparam, func, or_, select, text

from indexer.fused_vector import Ids
from indexer.storage.tables import ItemRow

# Items of which a word is known to be theirs; of a word that more have, candidates are read.
MOST_ITEMS = 1_000
MOST_WORDS = 12  # looked up of one text; a shopper types three or four
MOST_COUNTED = 10 * MOST_ITEMS  # items; of more it only matters that they are many
# A text whose words more than a tenth of the items have asks for nothing that singles items out.
TELLING = math.log(10)
# Apostrophes are within words: "levi's" is one, found as `levi s` and as `levis`.
WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_PLAIN_WORD = re.compile(r"[^\W_]+")
_TRADE_MARKS = dict.fromkeys(map(ord, "\u2122\u2120"), " ")  # else they would become letters
# Stands in SQLite's index beside an item's words: whose they are.
_CATALOGUE = "zqcatalogue"
# Words that stand in a text whatever is looked for. None that names a brand: "under", "new", "only"
# and "all" do.
STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and any are as at be but by can for from has have i in is it its like look looking me"
        " my of on or please same similar some that the their this to want wear wearing with"
        " without you your",
    )
)
_SQLITE = text("SELECT rowid FROM item_words WHERE item_words MATCH :asked LIMIT :most")
POSTGRESQL = text(
    "SELECT id FROM item WHERE catalogue_id = :catalogue AND lapel_words(title, brand)"
    " @@ (lapel_query(:first) || lapel_query(:second)) LIMIT :most"
)
_CODES = select(ItemRow.id, ItemRow.item_id, ItemRow.group_id).where(
    ItemRow.catalogue_id == bindparam("catalogue"),
    or_(
        ItemRow.item_id.in_(bindparam("codes", expanding=True)),
        ItemRow.group_id.in_(bindparam("codes", expanding=True)),
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class KnownWord:
    """A word that some items' feed says: `items` (n,) are their rows, ascending.

    `forms` are what it may look like in a feed; empty for an item's id. `weight` grows with rarity.
    """

    word: str
    forms: tuple[str, ...]
    items: Ids
    weight: float

    @property
    def is_common(self) -> bool:
        """Whether more items have it than are in `items`."""
        return len(self.items) >= MOST_ITEMS

    def is_in(self, row_id: int, said: str) -> bool:
        """Tell whether it is an item's word; `said` is its title and brand as `plain` has it."""
        if self.is_common:
            return any(f" {form} " in said for form in self.forms)
        at = int(np.searchsorted(self.items, row_id))
        return at < len(self.items) and int(self.items[at]) == row_id


@dataclass(frozen=True, slots=True, eq=False)
class KnownWords:
    """What of a text is looked for in what the feed says: words, and a category.

    `is_all` where the models understood nothing of the text: then looks find nothing to add.
    """

    words: tuple[KnownWord, ...] = ()
    category: str | None = None
    is_all: bool = False

    def __bool__(self) -> bool:
        return bool(self.words or self.category)

    def share(self, matched: Iterable[KnownWord]) -> float:
        """Return how much of what is asked for these words are, 0 to 1; rare words are more."""
        whole = max(TELLING, sum(word.weight for word in self.words))
        return sum(word.weight for word in matched) / whole


NOTHING_KNOWN = KnownWords()


def words_of(said: str) -> list[str]:
    """Return a text's words in lower case, in order, each once; stop words are none."""
    found = WORD.findall(unicodedata.normalize("NFC", said).lower())
    return [word for word in dict.fromkeys(found) if len(word) > 1 and word not in STOP_WORDS]


def codes_of(said: str) -> list[str]:
    """Return what of a text may be an item's or a group's id, as it is typed."""
    parts = said.split()
    return [
        part
        for part in dict.fromkeys(parts)
        # "501" is a name of jeans before it is some item's id.
        if len(parts) == 1 or (len(part) >= 5 and any(map(str.isdigit, part)))
    ]


def plain(said: str) -> str:
    """Return a text's words without accents, in lower case, with a blank around each."""
    bare = unicodedata.normalize("NFKD", said.translate(_TRADE_MARKS))
    bare = "".join(c for c in bare if not unicodedata.combining(c)).lower()
    return f" {' '.join(_PLAIN_WORD.findall(bare))} "


def forms_of(word: str) -> tuple[str, ...]:
    """Return a word as feeds write it: with the apostrophe of a possessive, or without."""
    parts = re.split(r"['\u2019]", word)
    if len(parts) > 1:
        return " ".join(parts), "".join(parts)
    if len(word) > 3 and word.endswith("s"):
        return word, f"{word[:-1]} s"
    return (word,)


def find_words(
    sql: Connection, catalogue_id: int, words: Sequence[str], codes: Sequence[str]
) -> tuple[KnownWord, ...]:
    """Return which of the words, and of what may be ids, are of items in this catalogue."""
    ids = dict(_find_codes(sql, catalogue_id, codes))
    within = {part for code in ids for part in words_of(code)}
    left = [w for w in words if w not in within and not w.startswith(_CATALOGUE)][:MOST_WORDS]
    found = [(word, forms_of(word), _find(sql, catalogue_id, forms_of(word))) for word in left]
    found += [(code, (), items) for code, items in ids.items()]
    if not any(len(items) for _, _, items in found):
        return ()
    count = _count(sql, catalogue_id)
    return tuple(
        KnownWord(word, forms, items, max(0.0, math.log(count / len(items))))
        for word, forms, items in found
        if len(items)
    )


def _find_codes(
    sql: Connection, catalogue_id: int, codes: Sequence[str]
) -> Iterator[tuple[str, Ids]]:
    """Yield which of these are ids, with the items that have them, or whose group has."""
    if not codes:
        return
    spelt = {form: code for code in codes for form in (code.lower(), code.upper(), code)}
    rows = sql.execute(_CODES.limit(MOST_ITEMS), {"catalogue": catalogue_id, "codes": [*spelt]})
    found: dict[str, set[int]] = {}
    for row_id, *ids in rows.all():
        for code in {spelt[each] for each in ids if each in spelt}:
            found.setdefault(code, set()).add(row_id)
    for code, items in found.items():
        yield code, np.array(sorted(items), np.int64)


def _find(sql: Connection, catalogue_id: int, forms: Sequence[str]) -> Ids:
    """Return the first rows of items with a word in one of its forms, ascending."""
    if sql.dialect.name == "sqlite":
        # Forms are letters, digits and blanks: within quotes nothing of them is an operator.
        either = " OR ".join(f'"{form}"' for form in forms)
        given = {"asked": f'"{_CATALOGUE}{catalogue_id}" AND ({either})', "most": MOST_ITEMS}
        rows = sql.execute(_SQLITE, given)
    else:
        given = {"catalogue": catalogue_id, "first": forms[0], "second": forms[-1]}
        rows = sql.execute(POSTGRESQL, given | {"most": MOST_ITEMS})
    return np.array(sorted(row[0] for row in rows.all()), np.int64)


def _count(sql: Connection, catalogue_id: int) -> int:
    """Return how many items a catalogue has, as far as it matters."""
    some = select(ItemRow.id).where(ItemRow.catalogue_id == catalogue_id).limit(MOST_COUNTED)
    return sql.scalar(select(func.count()).select_from(some.subquery())) or 1
