"""Describe the garments of a photo: the one pipeline of query and catalogue photos."""
