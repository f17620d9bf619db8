"""Words of a feed as shops write them: prices, availability, HTML, lists of pictures."""

import pytest

from indexer.feeds.reading.values import (
    parse_availability,
    parse_price,
    plain_text,
    split_addresses,
)


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("CHF 29.–", (29.0, "CHF")), ("1’299.00 CHF", (1299.0, "CHF")), ("US$ 5", (5.0, "USD")),
        ("R$ 1.299,90", (1299.9, "BRL")), ("129 zł", (129.0, "PLN")),
        ("Rs. 1,29,900.00", (129900.0, "INR")),
        ("1\u202f299,00\u00a0€", (1299.0, "EUR")), ("12.500 KWD", (12.5, "KWD")),
        ("0.999", (0.999, None)),
        ("49.0000", (49.0, None)), ("1.299.000 IDR", (1299000.0, "IDR")),
        ("19.90 - 29.90 EUR", (19.9, "EUR")),
    ],
)  # fmt: skip
def test_more_prices(text: str, price: tuple[float, str | None]) -> None:
    assert parse_price(text) == price


@pytest.mark.parametrize("text", ["-5 EUR", "EUR -5", "\u22125", "9" * 400])
def test_what_is_no_price(text: str) -> None:
    with pytest.raises(ValueError, match="price"):
        parse_price(text)


def test_availability_in_other_words() -> None:
    said = {"https://schema.org/InStock": "in_stock", "Auf Lager": "in_stock", "7": "in_stock",
            "0.000": "out_of_stock", "-2": "out_of_stock", "onbackorder": "backorder",
            "agotado": "out_of_stock", "PreOrder": "preorder"}  # fmt: skip
    assert {text: parse_availability(text) for text in said} == said


def test_html_becomes_text() -> None:
    text = "<style>p {}</style><p>Soft&nbsp;<b>bold</b>ness</p><ul><li>One<li>Two</ul><!-- no -->"
    assert plain_text(text) == "Soft boldness One Two"
    assert plain_text("&lt;p&gt;a &amp;lt; b&lt;/p&gt;") == "a < b"
    assert plain_text("5 < 6,\nMen&#39;s") == "5 < 6,\nMen's"
    assert plain_text("a <script>alert(1)") == "a"


def test_lists_of_pictures() -> None:
    assert split_addresses("a.jpg, b.jpg|c.jpg;a.jpg") == ["a.jpg", "b.jpg", "c.jpg"]
    cloud = "https://x.test/w_3,h_4/a.jpg"
    assert split_addresses(f"{cloud},{cloud}?2 {cloud}?3") == [cloud, f"{cloud}?2", f"{cloud}?3"]
