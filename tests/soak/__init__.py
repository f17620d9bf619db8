"""Run long tests of killed writes and hostile input."""
