"""Several processes, on one machine or many, that train one network together: its lanes are numbered over all of them."""
