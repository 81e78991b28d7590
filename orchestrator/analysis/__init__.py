"""From finished features to what people read: tables, coverage, the judge's verdict, the summary and the report."""
