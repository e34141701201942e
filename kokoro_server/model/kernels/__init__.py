"""Generate the machine code of the network: convolutions, matrix products, LSTMs, norms."""
