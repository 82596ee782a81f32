"""The picture of a stage: what is on it (pure), the words that stand for it, and the drawing itself."""
