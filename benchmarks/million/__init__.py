"""Measure search and growth at up to a million garments."""
