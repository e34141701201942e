"""Run the network in kernels that are compiled for the CPU of this machine."""
