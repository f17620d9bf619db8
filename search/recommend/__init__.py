"""Recommend what goes with an item or a photo, and what to offer instead."""
