"""A finished job as a folder: Parquet that `datasets.load_dataset` reads, its provenance, and what restores it.

docs/portable.md describes the format.
"""
