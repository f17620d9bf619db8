"""Tune an encoder on a shop's photos, judge it on products it never saw, and install it."""
