"""What is served or written: the files, what the page knows of thalweg, the server."""
