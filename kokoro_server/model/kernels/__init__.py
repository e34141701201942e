"""Generate the network's kernels as LLVM IR, compile them for this CPU, and run them on a pool of threads."""
