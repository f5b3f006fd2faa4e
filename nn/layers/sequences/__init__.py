"""Layers for sequences: embeddings, recurrent networks, attention and transformers."""
