"""Read the words of feeds and queries as categories, slots and colour terms, in eight languages."""
