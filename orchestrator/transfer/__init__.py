"""A finished job leaves or enters a deployment: as a stream of parts, each named by something before it."""
