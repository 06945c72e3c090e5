"""Label rules: which distribution over classes each training image is trained on."""
