"""The doctor: the everyday mistakes of a training, each with its cause and its remedy."""
