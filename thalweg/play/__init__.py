"""The live page: served on this machine with a table beside it, or written as files; the browser trains."""
