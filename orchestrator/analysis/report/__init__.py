"""The self-contained page of a job: the table, the coverage, and a card per feature with its pictures."""
