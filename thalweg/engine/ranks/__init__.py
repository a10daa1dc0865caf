"""Several processes, on one machine or many, train one network: its lanes are numbered over all of them."""
