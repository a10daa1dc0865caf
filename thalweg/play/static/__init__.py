"""The live page as files for any web server: no Python behind it."""
