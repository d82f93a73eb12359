"""The notebook's side: cells, their analysis, their outputs, and the commands."""
