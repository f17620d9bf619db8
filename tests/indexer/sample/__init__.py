"""Tests of `indexer/sample`."""
