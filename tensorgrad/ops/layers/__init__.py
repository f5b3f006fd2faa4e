"""The functions behind layers that are more than one op: norms, kinds of dropout, embeddings, attention, distances."""
