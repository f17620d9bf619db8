"""Keep items, photos, garments and their vectors in SQL."""
