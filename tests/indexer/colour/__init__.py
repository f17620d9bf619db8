"""Tests of `indexer/colour`."""
