"""The paper's tables and figures, one file a study: tables made from the frame, a figure drawn from a table."""
