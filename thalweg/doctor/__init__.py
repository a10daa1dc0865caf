"""What goes wrong in trainings: symptoms with harm, the evidence, and a remedy."""
