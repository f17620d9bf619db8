"""Parse the values of a feed: prices, availability, plain text, lists of pictures."""

import html
import math
import re
from collections.abc import Iterable

_AMOUNT = re.compile(r"\d[\d.,'’ \u00a0\u202f]*")
_SPACES = re.compile(r"[ '’\u00a0\u202f]")
_CODE = re.compile(r"(?<![A-Z])[A-Z]{3}(?![A-Z])")
# Longest first, so that `R$` is not read as `$`. `kr` may be of three countries: no code.
_SIGNS = {
    "US$": "USD", "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD", "NZ$": "NZD",
    "HK$": "HKD", "MX$": "MXN", "S$": "SGD", "R$": "BRL", "zł": "PLN", "Kč": "CZK", "Ft": "HUF",
    "Fr.": "CHF", "Rs": "INR", "₹": "INR", "€": "EUR", "£": "GBP", "¥": "JPY", "₽": "RUB",
    "₺": "TRY", "₩": "KRW", "₴": "UAH", "₪": "ILS", "₫": "VND", "lei": "RON", "$": "USD",
}  # fmt: skip
_THOUSANDTHS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])  # ISO 4217
_AVAILABILITY = {
    "in_stock": (
        "instock", "available", "yes", "true", "limitedavailability", "instoreonly",
        "onlineonly", "auflager", "verfügbar", "lieferbar", "enstock", "disponible",
        "disponibile", "disponibilita", "enexistencia", "emestoque", "emstock", "disponível",
        "opvoorraad", "dostępny", "dostępna", "wmagazynie",
    ),
    "out_of_stock": (
        "outofstock", "soldout", "unavailable", "discontinued", "no", "false", "ausverkauft",
        "nichtverfügbar", "nichtlieferbar", "rupturedestock", "épuisé", "agotado", "sinexistencias",
        "esaurito", "nondisponibile", "esgotado", "uitverkocht", "nietopvoorraad", "niedostępny",
        "brak",
    ),
    "preorder": ("preorder", "presale", "vorbestellung", "précommande"),
    "backorder": ("backorder", "onbackorder", "backordered", "notify"),
}  # fmt: skip
_COLOUR_WORDS = frozenset(
    ["colour", "color", "colours", "colors", "farbe", "couleur", "colore", "cor", "kleur", "kolor",
     "colour_name", "color_name", "base_colour", "base_color"]
)  # fmt: skip
_AVAILABILITY_OF = {word: name for name, words in _AVAILABILITY.items() for word in words}

# Possessive (`*+`) here and below: of ten megabytes of `<` or of blanks, none is looked at twice.
_TAG = re.compile(r"<(/?)([a-zA-Z!?][a-zA-Z0-9]*+)[^<>]*+>|<!--")
_UNSEEN = ("script", "style")
# No text in a database may hold these: PostgreSQL refuses a zero, no encoding has lone surrogates.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_LIST_MARKS = re.compile(r"[,;|\n]++")
_ADDRESS_MARKS = re.compile(r"(?<![,;|\s])[,;|\s]++(?=[A-Za-z][A-Za-z0-9+.-]*+://)")
MAX_PHOTOS = 1000  # of an item; Shopify allows 250, Google 11
MAX_PRICE = 100  # characters


def parse_price(text: str) -> tuple[float | None, str | None]:
    """Return amount and ISO currency of `29.90 EUR`, `€1.299,00`, `$5`; None for a missing one.

    Raises ValueError when there is text but no amount in it, or a negative one.
    """
    if not text.strip():
        return None, None
    match = _AMOUNT.search(text)
    if not match or len(text) > MAX_PRICE:
        raise ValueError(f"price {text[:60]!r} has no amount; expected one like '29.90 EUR'")
    before = text[: match.start()]
    if before.endswith(("-", "\u2212")) and not before[-2:-1].isalnum():
        raise ValueError(f"price {text[:60]!r} is negative; expected one like '29.90 EUR'")
    code = _CODE.search(text)
    sign = next((iso for mark, iso in _SIGNS.items() if mark in text), None)
    currency = code.group() if code else sign
    amount = _amount(match.group(), currency in _THOUSANDTHS)
    if not math.isfinite(amount):
        raise ValueError(f"price {text[:60]!r} is no amount of money; expected '29.90 EUR'")
    return amount, currency


def _amount(text: str, has_thousandths: bool) -> float:
    digits = _SPACES.sub("", text).rstrip(".,")
    # The last of the two marks is the decimal one, unless exactly three digits follow a lone mark.
    decimal = max(digits.rfind("."), digits.rfind(","))
    if decimal < 0:
        return float(digits)
    whole, mark, rest = digits[:decimal], digits[decimal], digits[decimal + 1 :]
    is_lone = not re.search(r"[.,]", whole.replace(mark, ""))
    first_group = re.split(r"[.,]", whole)[0]
    # `0.999` and `1299.000` have no thousands separator: before one stand one to three digits.
    groups = 1 <= len(first_group) <= 3 and first_group != "0"
    if len(rest) == 3 and is_lone and groups and (not has_thousandths or mark in whole):
        return float(re.sub(r"[.,]", "", digits))
    return float(f"{re.sub(r'[.,]', '', whole)}.{rest}")


def parse_availability(text: str) -> str | None:
    """Return in_stock, out_of_stock, preorder, backorder; None for an unknown text.

    Reads Google's words, schema.org's addresses, words of other languages, and stock counts.
    """
    if re.fullmatch(r"-?[0-9]+(\.0+)?", text):
        return "in_stock" if re.search("[1-9]", text) and text[0] != "-" else "out_of_stock"
    word = text.strip().rstrip("/").rpartition("/")[2].lower()
    return _AVAILABILITY_OF.get(re.sub(r"[\s_-]", "", word))


def plain_text(text: str) -> str:
    """Return a text without its HTML; plain text stays as it is."""
    if "<" not in text and "&" not in text:
        return text
    if "<" not in text and "&lt;" in text:  # HTML packed into HTML
        text = html.unescape(text)
    parts: list[str] = []
    at, unseen = 0, ""
    for tag in _TAG.finditer(text):
        if tag.start() < at:
            continue
        if not unseen:
            parts.append(text[at : tag.start()])
        at = tag.end()
        name = (tag.group(2) or "").lower()
        if tag.group() == "<!--":
            end = text.find("-->", at)
            at = end + 3 if end >= 0 else len(text)
        elif unseen:
            unseen = "" if tag.group(1) and name == unseen else unseen
        elif name in _UNSEEN and not tag.group(1):
            unseen = name
        if not unseen and name not in ("b", "i", "em", "strong", "span", "a", "u", "sup", "sub"):
            parts.append(" ")
    if not at:
        return html.unescape(text)
    if not unseen:
        parts.append(text[at:])
    return " ".join(html.unescape("".join(parts)).split())


def is_colour_word(word: str) -> bool:
    """Tell whether a column or an option of this name, in lower case, holds colours."""
    return word in _COLOUR_WORDS


def storable(text: str) -> str:
    """Return a text without the characters that no database accepts."""
    return _UNSTORABLE.sub("", text) if _UNSTORABLE.search(text) else text


def split_addresses(text: str) -> list[str]:
    """Return the pictures that a cell lists, parted by `,`, `;`, `|` or a line's end.

    A web address keeps its own commas: only one before the next `scheme://` parts.
    """
    marks = _ADDRESS_MARKS if "://" in text else _LIST_MARKS
    return unique(marks.split(text, MAX_PHOTOS)[:MAX_PHOTOS])


def unique(texts: Iterable[str]) -> list[str]:
    """Return the texts in their order, stripped, without empty and repeated ones."""
    return list(dict.fromkeys(filter(None, (text.strip().strip(",;| ").strip() for text in texts))))
