"""The page in a real browser (Debian's chromium) on a real server, as a shopper uses it."""
