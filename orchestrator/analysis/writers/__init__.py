"""Tables as files that nothing in them can turn into something else: CSV, LaTeX, Markdown."""
