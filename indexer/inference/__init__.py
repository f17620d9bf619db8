"""Run a network by the fastest runtime of this machine that still gives the same answers."""
