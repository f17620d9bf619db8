"""Measure a garment's colours and name them: CIELAB histograms, palettes, nearest colour names."""
