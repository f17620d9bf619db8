"""Tests of `indexer/vision`."""
