"""A photo becomes described garments; described garments become a catalogue."""
