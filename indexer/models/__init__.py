"""Load, describe, download and export the models: detector, encoder and attribute heads."""
