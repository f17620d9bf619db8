"""The shoes, bags and headwear of the sample shop, in photos of the product alone."""
