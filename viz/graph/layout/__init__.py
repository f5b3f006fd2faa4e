"""Where everything lies: the graph as DOT, in sheets, laid out by Graphviz, and put together again."""
