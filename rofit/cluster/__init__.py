"""Work of a command on a cluster: which jobs, what each does, how far they are."""
