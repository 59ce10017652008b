"""Measures what a request costs: Sternpost against its peers, in the same rounds, on the same data."""
