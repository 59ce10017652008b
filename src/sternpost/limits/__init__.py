"""Where calls are counted for rate limits: the four algorithms, and the stores that keep their state."""
