"""How often the doctor is right: trainings that provoke each rule, their healthy twins, and many healthy trainings."""
