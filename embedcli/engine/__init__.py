"""Texts in, vectors out; knows no file, flag or HTTP."""
