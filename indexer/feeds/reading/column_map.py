"""Map a shop's own column names to the fields of an item record.

For plain CSV, JSON and Parquet. The usual names are known; others are named by a mapping, such as
`id=ref`, our word first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from indexer.errors import FeedError, SettingsError
from indexer.feeds.reading.delimited import plain_word
from indexer.feeds.reading.values import split_addresses

# Our word -> shops' names for it, the surest first, as `plain_word` writes them.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "item_id", "sku", "product_id", "variant_id", "article_id", "article_number",
           "item_number", "artikelnummer", "artikel_nr", "art_nr", "ref", "reference", "référence",
           "referencia", "referentie", "codice", "código", "codigo", "handle"),
    "group_id": ("group_id", "item_group_id", "parent_id", "parent_sku", "product_group",
                 "style_id", "style_code", "model_id", "master_id"),
    "title": ("title", "name", "product_name", "product_title", "item_name", "titel", "bezeichnung",
              "titre", "nom", "título", "titulo", "nombre", "titolo", "nome", "naam", "nazwa"),
    "description": ("description", "desc", "body_html", "long_description", "short_description",
                    "beschreibung", "descripción", "descripcion", "descrizione", "descrição",
                    "descricao", "omschrijving", "opis"),
    "category": ("category", "categories", "category_path", "kategorie", "catégorie", "categorie",
                 "categoría", "categoria", "kategoria"),
    "product_type": ("product_type", "article_type", "type", "sub_category", "subcategory"),
    "colour": ("colour", "color", "colour_name", "color_name", "base_colour", "base_color", "farbe",
               "couleur", "colore", "cor", "kleur", "kolor"),
    "brand": ("brand", "vendor", "manufacturer", "marke", "hersteller", "marque", "marca", "merk",
              "marka", "brand_name"),
    "price": ("price", "current_price", "retail_price", "preis", "prix", "precio", "prezzo",
              "preço", "preco", "prijs", "cena"),
    "sale_price": ("sale_price", "special_price", "discount_price", "discounted_price"),
    "currency": ("currency", "price_currency", "currency_code", "währung", "devise", "moneda",
                 "valuta", "moeda", "waluta"),
    "availability": ("availability", "in_stock", "is_in_stock", "available", "stock_status",
                     "stock", "quantity", "qty"),
    "link": ("link", "url", "product_url", "product_link", "deeplink", "permalink"),
    "slot": ("slot",),
}  # fmt: skip
# All present columns count, in this order.
PHOTO_COLUMNS = frozenset(
    ["photos", "photo", "images", "image", "image_link", "image_links", "additional_image_link",
     "image_url", "image_urls", "photo_url", "img", "img_url", "picture", "pictures", "picture_url",
     "main_image", "primary_image", "additional_images", "image_src", "image_path", "filename",
     "file_name", "featured_image", "bild", "bilder", "imagen", "imagenes", "immagine", "imagem",
     "afbeelding", "zdjecie", "zdjęcie"]
    + [f"{word}{mark}{i}"
       for word in ("image", "photo", "img", "picture", "image_url", "image_link")
       for mark in ("", "_") for i in range(1, 13)]
)  # fmt: skip
PHOTOS = "photos"
_PHOTO_WORDS = ("photo", "image", "images", PHOTOS)  # how a mapping may call them


@dataclass(frozen=True)
class ColumnMap:
    """The meaning of a feed's columns; `columns` is the user's mapping, ours -> the feed's."""

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _resolved: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, pairs: Sequence[str]) -> "ColumnMap":
        """Read `id=ref`, `photos=front,back`; a word may be given twice. Raises SettingsError."""
        columns: dict[str, tuple[str, ...]] = {}
        for pair in pairs:
            ours, equals, theirs = pair.partition("=")
            ours = plain_word(ours).replace("color", "colour")
            named = tuple(plain_word(word) for word in theirs.split(",") if word.strip())
            if not ours or not equals or not named:
                raise SettingsError(
                    f"mapping {pair!r} cannot be read; expected our word, '=' and the feed's "
                    f"column, such as id=ref; our words are {PHOTOS}, {', '.join(ALIASES)}"
                )
            ours = PHOTOS if ours in _PHOTO_WORDS else ours
            columns[ours] = (*columns.get(ours, ()), *named)
        return cls(columns)

    def check(self, header: Iterable[str], feed: object) -> None:
        """Raise FeedError if a mapped column is missing, or no column has ids or pictures."""
        there = set(header)
        absent = [w for words in self.columns.values() for w in words if w not in there]
        lacking = {"id", PHOTOS} - set(self.resolve(tuple(header)).values())
        shown = ", ".join(header)[:300]
        if absent:
            raise FeedError(f"{feed} has no column {', '.join(absent)}; it has {shown}")
        if lacking:
            raise FeedError(
                f"no column of {feed} is known to hold {' or '.join(sorted(lacking))}; name it, "
                f"as in --map {min(lacking)}=COLUMN; the columns are {shown}"
            )

    def resolve(self, header: tuple[str, ...]) -> dict[str, str]:
        """Return our word for each of these columns that has one."""
        if header in self._resolved:
            return self._resolved[header]
        # JSON rows may differ in their keys, and have many, without end.
        if len(self._resolved) > 1000 or len(header) > 1000:
            self._resolved.clear()
        resolved = self._resolved[header] = self._resolve(header)
        return resolved

    def _resolve(self, header: tuple[str, ...]) -> dict[str, str]:
        present = set(header)
        ours_of = {theirs: ours for ours, words in self.columns.items() for theirs in words}
        resolved = {word: ours_of[word] for word in header if word in ours_of}
        for ours, aliases in ALIASES.items():
            if ours not in self.columns:
                free = (a for a in aliases if a in present and a not in resolved)
                if alias := next(free, None):
                    resolved[alias] = ours
        if PHOTOS not in self.columns:
            resolved |= {w: PHOTOS for w in header if w in PHOTO_COLUMNS and w not in resolved}
        return resolved

    def read(self, cells: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
        """Return the values of a row by our words, and its pictures."""
        values: dict[str, str] = {}
        photos: list[str] = []
        resolved = self.resolve(tuple(cells))
        for word, cell in cells.items():
            ours = resolved.get(word, word)
            if ours == PHOTOS:
                photos += split_addresses(cell)
            elif not values.get(ours):
                values[ours] = cell
        return values, photos


DEFAULT = ColumnMap()
