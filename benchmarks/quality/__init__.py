"""Measure the quality of the bundled models on public sets."""
