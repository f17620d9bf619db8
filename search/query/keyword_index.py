"""Look a text's words up in the shop's own feed: which items have them in title or brand.

The database has a full-text index of titles and brands (migration 0010). Words are matched as they
are: neither stemmed nor corrected.
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

# Items listed for a word; of a word that more items have, the candidates' titles are read.
MOST_ITEMS = 1_000
MOST_WORDS = 12  # looked up of one text; a shopper types three or four
MOST_COUNTED = 10 * MOST_ITEMS  # items; of more it only matters that they are many
# Words that more than a tenth of the items have do not single items out.
TELLING = math.log(10)
# Apostrophes are within words: "levi's" is one, found as `levi s` and as `levis`.
WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_PLAIN_WORD = re.compile(r"[^\W_]+")
_TRADE_MARKS = dict.fromkeys(map(ord, "\u2122\u2120"), " ")  # else they would become letters
# In SQLite's index beside each item's words: the prefix of the catalogue's own word.
_CATALOGUE = "zqcatalogue"
# Words of any text, whatever is looked for. None that is part of a brand: "under", "new", "only"
# and "all" are.
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
    """A word that some items have: `items` (n,) are their rows, ascending.

    `forms` are its spellings in feeds; empty for an item's id. `weight` grows with rarity.
    """

    word: str
    forms: tuple[str, ...]
    items: Ids
    weight: float

    @property
    def is_common(self) -> bool:
        """Whether more items have it than are in `items`."""
        return len(self.items) >= MOST_ITEMS

    def is_in(self, row_id: int, feed_words: str) -> bool:
        """Tell whether an item has it; `feed_words` are title and brand as `plain` gives them."""
        if self.is_common:
            return any(f" {form} " in feed_words for form in self.forms)
        at = int(np.searchsorted(self.items, row_id))
        return at < len(self.items) and int(self.items[at]) == row_id


@dataclass(frozen=True, slots=True, eq=False)
class KnownWords:
    """The words of a text that the feed has, and the category that it names.

    `is_all` where the models understood nothing of the text: then vectors have nothing to add.
    """

    words: tuple[KnownWord, ...] = ()
    category: str | None = None
    is_all: bool = False

    def __bool__(self) -> bool:
        return bool(self.words or self.category)

    def share(self, matched: Iterable[KnownWord]) -> float:
        """Return the share of the text, 0 to 1, that these words are; rare words weigh more."""
        whole = max(TELLING, sum(word.weight for word in self.words))
        return sum(word.weight for word in matched) / whole


NOTHING_KNOWN = KnownWords()


def words_of(text_: str) -> list[str]:
    """Return a text's words but stop words, in lower case, in order, each once."""
    found = WORD.findall(unicodedata.normalize("NFC", text_).lower())
    return [word for word in dict.fromkeys(found) if len(word) > 1 and word not in STOP_WORDS]


def codes_of(text_: str) -> list[str]:
    """Return the parts of a text that may be an item's or a group's id, as typed."""
    parts = text_.split()
    return [
        part
        for part in dict.fromkeys(parts)
        # "501" is a name of jeans before it is some item's id.
        if len(parts) == 1 or (len(part) >= 5 and any(map(str.isdigit, part)))
    ]


def plain(text_: str) -> str:
    """Return a text's words without accents, in lower case, with a blank around each."""
    bare = unicodedata.normalize("NFKD", text_.translate(_TRADE_MARKS))
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
    """Return which of the words, and of the possible ids, items of this catalogue have."""
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
    """Yield the codes that are ids of items or groups, with the rows of these items."""
    if not codes:
        return
    spelt = {form: code for code in codes for form in (code.lower(), code.upper(), code)}
    rows = sql.execute(_CODES.limit(MOST_ITEMS), {"catalogue": catalogue_id, "codes": [*spelt]})
    items_of: dict[str, set[int]] = {}
    for row_id, *ids in rows.all():
        for code in {spelt[each] for each in ids if each in spelt}:
            items_of.setdefault(code, set()).add(row_id)
    for code, items in items_of.items():
        yield code, np.array(sorted(items), np.int64)


def _find(sql: Connection, catalogue_id: int, forms: Sequence[str]) -> Ids:
    """Return the first rows of items with a word in one of its forms, ascending."""
    if sql.dialect.name == "sqlite":
        # Forms are letters, digits and blanks: within quotes none of them is an operator.
        either = " OR ".join(f'"{form}"' for form in forms)
        values = {"asked": f'"{_CATALOGUE}{catalogue_id}" AND ({either})', "most": MOST_ITEMS}
        rows = sql.execute(_SQLITE, values)
    else:
        values = {"catalogue": catalogue_id, "first": forms[0], "second": forms[-1]}
        rows = sql.execute(POSTGRESQL, values | {"most": MOST_ITEMS})
    return np.array(sorted(row[0] for row in rows.all()), np.int64)


def _count(sql: Connection, catalogue_id: int) -> int:
    """Return how many items a catalogue has, at most `MOST_COUNTED`."""
    some = select(ItemRow.id).where(ItemRow.catalogue_id == catalogue_id).limit(MOST_COUNTED)
    return sql.scalar(select(func.count()).select_from(some.subquery())) or 1
