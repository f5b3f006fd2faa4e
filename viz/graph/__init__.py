"""The backprop graph, laid out and drawn."""
