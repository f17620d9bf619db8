"""Measure a catalogue's retrieval quality without labels, and fit weights and confidence to it."""
