"""The live page: a server on this machine that trains while one watches."""
