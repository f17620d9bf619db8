"""Train attribute heads and adapt the encoder to a shop's own labels and photos."""
