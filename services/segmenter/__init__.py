"""The text-prompted segmenter: a zero-shot detector finds boxes for a text, SAM 2 turns them into one mask."""
