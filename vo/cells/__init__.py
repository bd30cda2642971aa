"""Whole columns of an answer as bytes or text; nothing here takes a step per cell."""
