"""Tests of `indexer/inference`."""
