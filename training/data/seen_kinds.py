"""Read what garments of the training sets were seen to be, where their set's word does not tell.

One reader, a language model that sees pictures, looked at contact sheets of CCP's tops, trousers,
jackets, shoes, bags and hats, of the clothing set's shoes and hats, and of the shops' products, and
not at what any head says of them. CCP says "shoes" of boots and heels, "blouse" of plain tees,
"suit" of any blazer.
"""

from pathlib import Path

from indexer.vocabulary.categories import find_category, telling

FOLDER = Path(__file__).parent / "seen"
UNCLEAR = "-"  # looked at, and no category could be told


class SeenKinds:
    """The categories of one set's garments: as seen, else as the set's own word is read."""

    def __init__(self, name: str) -> None:
        lines = (FOLDER / f"{name}.tsv").read_text("utf-8").splitlines()
        rows = [line.split("\t") for line in lines if not line.startswith("#")]
        self._seen = {(photo, word): category for photo, word, category in rows}

    def category(self, photo: str, word: str) -> str | None:
        """Return the category of the garment that the set calls by this word, None if unclear."""
        seen = self._seen.get((photo, word))
        if seen is not None:
            return None if seen == UNCLEAR else seen
        return telling(find_category(word))
