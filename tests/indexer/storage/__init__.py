"""Tests of `indexer/storage`."""
