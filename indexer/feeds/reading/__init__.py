"""Read what all feed formats share: text encodings, delimited rows, JSON, values and the item
record."""
