"""Matrix products and the gradients of linear layers."""
