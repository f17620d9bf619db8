"""Tests of `indexer/images`."""
