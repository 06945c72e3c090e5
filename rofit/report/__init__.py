"""Reports to read in a browser: one HTML file of a store, of runs, of analyses."""
