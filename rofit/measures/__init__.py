"""What analyses begin from: numbers of logs, by run and epoch, and claims. No torch."""
