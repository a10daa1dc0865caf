"""Files of tables that DuckDB doesn't read: workbooks, Arrow's files, text that isn't UTF-8."""
