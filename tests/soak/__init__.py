"""The money soak (`make soak`): random business by several processes that are killed at random, then the books are checked."""
