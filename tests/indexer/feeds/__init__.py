"""Tests of `indexer/feeds`."""
