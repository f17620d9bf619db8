"""Tests of `indexer/ingest`."""
