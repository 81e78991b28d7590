"""The place to look: documents made of results, the server and the static site that show them, the pages themselves."""
