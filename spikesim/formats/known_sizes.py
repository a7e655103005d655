"""Sizes of the field's sensors."""

KNOWN_SIZES = ((250, 400), (250, 416), (180, 320), (500, 800), (1000, 1000), (1000, 1024))
"""Height and width of the field's recordings and datasets; 416 and 1024 include header columns."""
