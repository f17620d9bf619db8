"""Train the parser of worn garments: the crop of one person -> a class for each pixel."""
