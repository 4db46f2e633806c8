"""Which model is meant, where it lies, and what its files say of it."""
