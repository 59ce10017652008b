"""The gates of a project: each asks its criteria, keeps the evidence, and stops what is not ready."""
