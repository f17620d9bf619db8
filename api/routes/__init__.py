"""Declare the paths, parameters and keys of the HTTP API."""
