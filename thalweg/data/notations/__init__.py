"""How people write numbers and dates, beyond what a program writes: one module each."""
