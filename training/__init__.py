"""Makes the files in indexer/weights; never imported at run time."""
