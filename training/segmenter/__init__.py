"""Train, evaluate and document the garment segmenter."""
