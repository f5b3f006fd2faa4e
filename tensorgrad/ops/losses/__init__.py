"""The ops of losses: entropies of classes, distances of numbers, alignments of sequences."""
