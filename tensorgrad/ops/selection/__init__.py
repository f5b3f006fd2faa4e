"""Elements by position: selecting, masking, scattering."""
