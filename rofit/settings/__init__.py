"""What a run is: its fields, their ranges, published recipes, sizes. No torch."""
