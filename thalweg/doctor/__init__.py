"""What goes wrong in trainings: symptoms with harm, the evidence, and a remedy."""

from thalweg.doctor.examination import RULES, diagnose
from thalweg.doctor.finding import Diagnosis, Finding

__all__ = ["RULES", "Diagnosis", "Finding", "diagnose"]
