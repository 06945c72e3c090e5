"""Between rofit and other programs: their files come in, its runs go out."""
