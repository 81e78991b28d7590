"""Plain JSON-able documents for the pages: `catalog`, `table`, `map`, `feature`. Pure functions of a `JobView`."""
