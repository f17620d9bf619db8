"""Placeholder until the table is trained."""


class Matching:
    @classmethod
    def bundled(cls): return cls()
