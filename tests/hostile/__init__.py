"""Hostile files made by code: pictures, feeds, paths as attackers or accidents send them."""
