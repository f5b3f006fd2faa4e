"""Ops on images, signals and volumes beside convolution and pooling."""
