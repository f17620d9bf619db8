"""Tests of `indexer/description`."""
