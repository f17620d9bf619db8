"""The data sets that the field measures on: one module a set, and the metrics they share."""
