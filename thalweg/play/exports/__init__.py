"""What a page gives away: programs, models, states."""
