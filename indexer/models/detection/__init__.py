"""Find garments in photos: people first, then what each one wears; or garments of nobody."""
