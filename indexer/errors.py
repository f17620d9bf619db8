"""Every error Lapel raises on purpose.

LapelError
├── PhotoError                 a picture that cannot be used
│   ├── PhotoMissing           no file at that path
│   ├── PhotoEmpty             0 bytes
│   ├── PhotoTooManyBytes      a larger file than is accepted
│   ├── PhotoTooManyPixels     more pixels than are decoded (a decompression bomb)
│   ├── PhotoTooManyPieces     far more pieces than a picture needs (another kind of bomb)
│   ├── PhotoTooSmall          a side shorter than a garment can be seen in
│   ├── PhotoTruncated         the file ends before the picture does
│   └── PhotoUnreadable        not a picture, or in no format that is read
├── FeedError                  a feed, or one row of it, that cannot be read
├── ModelError                 a model that cannot be loaded or used
│   └── TextTowerUntrained     a text query to an encoder that was never taught text
├── CatalogueError             a catalogue that cannot be opened or written
│   ├── CatalogueEmpty         nothing indexed yet
│   ├── CatalogueLocked        another process is writing
│   ├── CatalogueReadOnly      it, or its folder, may not be written
│   ├── DiskFull               no room left, or a limit on the size of files
│   ├── BackupUnusable         a backup that is damaged, foreign, or of a newer version
│   ├── SyncRefused            a feed that would remove too many of its items
│   ├── FingerprintMismatch    its vectors were made by other models
│   ├── VectorsUnreachable     Milvus, which keeps its vectors, does not answer
│   └── SchemaOutdated         its tables were made by another version
├── ClusterError               a Ray cluster that cannot be reached, or does not do the work
├── EvaluationImpossible       too little in a catalogue to tell how well it is searched
├── QueryError                 a query that cannot be answered as asked
│   └── ItemUnknown            it names an item that the catalogue does not have
└── SettingsError              a setting with a value that cannot be used
"""

import re


class LapelError(Exception):
    """An error with a message for a person: what was got, what was expected, what to do."""

    @property
    def type(self) -> str:
        """The error's name for programs: `PhotoTooSmall` is `photo_too_small`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()


class PhotoError(LapelError):
    """A picture that cannot be used."""


class PhotoMissing(PhotoError):
    """No file at that path."""


class PhotoEmpty(PhotoError):
    """A file of 0 bytes."""


class PhotoTooManyBytes(PhotoError):
    """A larger file than is accepted."""


class PhotoTooManyPixels(PhotoError):
    """More pixels than are decoded: a very large picture or a decompression bomb."""


class PhotoTooManyPieces(PhotoError):
    """Far more chunks, scans or tiles than a picture needs: it would take very long to decode."""


class PhotoTooSmall(PhotoError):
    """A side shorter than a garment can be seen in."""


class PhotoTruncated(PhotoError):
    """The file ends before the picture does."""


class PhotoUnreadable(PhotoError):
    """Not a picture, or in no format that is read."""


class FeedError(LapelError):
    """A feed, or one row of it, that cannot be read."""


class ModelError(LapelError):
    """A model that cannot be loaded or used."""


class TextTowerUntrained(ModelError):
    """A text query to an encoder that was never taught text."""


class CatalogueError(LapelError):
    """A catalogue that cannot be opened or written."""


class CatalogueEmpty(CatalogueError):
    """Nothing indexed yet."""


class CatalogueLocked(CatalogueError):
    """Another process is writing."""


class CatalogueReadOnly(CatalogueError):
    """It, or its folder, may not be written."""


class DiskFull(CatalogueError):
    """No room left, or a limit on the size of files."""


class BackupUnusable(CatalogueError):
    """A backup that is damaged, foreign, or of a newer version."""


class SyncRefused(CatalogueError):
    """A feed that would remove too many of its items."""


class FingerprintMismatch(CatalogueError):
    """Its vectors were made by other models."""


class VectorsUnreachable(CatalogueError):
    """Milvus, which keeps its vectors, does not answer, or not as it should."""


class SchemaOutdated(CatalogueError):
    """Its tables were made by another version of Lapel."""


class ClusterError(LapelError):
    """A Ray cluster that cannot be reached, or whose workers do not do the work."""


class EvaluationImpossible(LapelError):
    """Too little in a catalogue to tell how well it is searched."""


class QueryError(LapelError):
    """A query that cannot be answered as asked."""


class ItemUnknown(QueryError):
    """An item id that the catalogue does not have."""


class SettingsError(LapelError):
    """A setting with a value that cannot be used."""
