"""Tests of `indexer/models`."""
