"""Two databases that differ only in what a caller may not see answer that caller the same."""
