"""What stands behind `rofit.watch`: a loop outside of rofit, its folder, its resume."""
