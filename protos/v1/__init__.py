"""Version 1 of the API (package steerscope.v1)."""
