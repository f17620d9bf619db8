"""Tests of `indexer/vectors`."""
