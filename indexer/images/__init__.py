"""Turn a picture's address into an upright RGB photo: safe fetching, caching and decoding within
limits."""
