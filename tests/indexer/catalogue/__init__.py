"""Tests of `indexer/catalogue`."""
