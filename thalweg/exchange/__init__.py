"""Networks from and to other libraries, by their files and objects; nothing in a file is ever executed."""
