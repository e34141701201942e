"""Who does the work: engines that turn a request into chunks of sound."""
