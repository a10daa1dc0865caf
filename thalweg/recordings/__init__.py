"""What is measured while a network trains, and how it is kept."""

from thalweg.recordings.recording import Histograms, Recording, Sample

__all__ = ["Histograms", "Recording", "Sample"]
